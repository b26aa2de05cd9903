# One command per chore; `make help` lists them.

PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The backend warns at length that a checkout shadows an installation, which is what we want here.
INSTALL_SELF := PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
ROOMS := broker handlers adapters bench

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-fast lint types bench bench-full chaos chaos-full docs schema format lock clean

help: ## List these chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## Start a broker with a demo instance and show one translation of each kind
	@$(BIN)/remint demo

serve: $(RUNTIME) ## Start a broker with the settings from REMINT_* variables
	@$(BIN)/remint serve

test: $(DEV) ## Run all tests, with the servers they need (Debian: installs them)
	@.ci/install-servers
	$(BIN)/pytest -n 2 --dist loadgroup

test-fast: $(DEV) ## Run the tests that need no server, within a minute
	$(BIN)/pytest -m "not server and not slow" -n 2

lint: $(DEV) ## Check style, the direction of imports, and known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	@$(BIN)/python .ci/audit.py

types: $(DEV) ## Check types
	$(BIN)/mypy $(ROOMS:%=-p %)
	cd examples/clients/python && $(CURDIR)/$(BIN)/mypy --strict -p remint_client
	cd examples/plugins && MYPYPATH=$(CURDIR) $(CURDIR)/$(BIN)/mypy --strict -p remint_example_plugins

bench: $(DEV) ## Measure what a translation costs beside its floor, and write a report (10 minutes)
	@.ci/install-servers || echo "Cases whose server is missing are skipped."
	@out=bench-results/$$(date -u +%Y%m%dT%H%M%SZ); \
	$(BIN)/remint bench cases --quick --out $$out && $(BIN)/remint bench report $$out

bench-full: $(DEV) ## The same at the sizes of the promises (hours); goes on where it was stopped
	@.ci/install-servers || echo "Cases whose server is missing are skipped."
	$(BIN)/remint bench cases --full --resume --out bench-results/full
	$(BIN)/remint bench report bench-results/full

chaos: $(DEV) ## Kill brokers and servers under load and prove that nothing was lost (10 minutes)
	@.ci/install-servers
	@$(BIN)/python -m tests.chaos moments & moments=$$!; \
	$(BIN)/python -m tests.chaos storm; storm=$$?; \
	wait $$moments && exit $$storm

chaos-full: $(DEV) ## The same with ten times as many requests and kills (an hour)
	@.ci/install-servers
	$(BIN)/python -m tests.chaos moments --rounds 2
	$(BIN)/python -m tests.chaos storm --requests 100000 --broker-kills 1000 --server-kills 50

docs: $(DEV) ## Run what the documentation shows
	$(BIN)/pytest tests/docs

schema: $(DEV) ## Write docs/schema and docs/rest-sts.md anew from the code
	@$(BIN)/python -m adapters.schema
	@$(BIN)/python -m tests.rest_sts

format: $(DEV) ## Format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV) ## Compile the lock files anew, after a change in pyproject.toml
	.ci/lock $(BIN)/pip-compile

clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build

# -- installing, once per change of a lock file ---------------------------------------------------

$(BIN)/python:
	@.ci/make-venv $(PYTHON)

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Remint needs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(INSTALL_SELF)
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	@.ci/install-servers to-build
	@echo "Installing what developing Remint needs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(INSTALL_SELF)
	@touch $@ $(RUNTIME)
