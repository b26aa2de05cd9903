# Remint in a container: no root, no compiler, nothing that the lock file does not pin.

FROM python:3.11-slim AS build
RUN python -m venv /opt/remint
WORKDIR /src
COPY requirements.lock ./
RUN /opt/remint/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY broker broker
COPY handlers handlers
COPY adapters adapters
COPY bench bench
RUN /opt/remint/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/remint/bin/python -m pip uninstall --yes setuptools pip

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home remint \
    && install -d -o remint -g remint -m 0700 /var/lib/remint
COPY --from=build /opt/remint /opt/remint
ENV PATH=/opt/remint/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    REMINT_STATE_DIR=/var/lib/remint
USER remint
WORKDIR /var/lib/remint
VOLUME /var/lib/remint
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; port = os.environ.get('REMINT_HTTP__MANAGEMENT_PORT', 8080); u.urlopen(f'http://127.0.0.1:{port}/readyz', timeout=2)"]
ENTRYPOINT ["remint"]
CMD ["serve"]
