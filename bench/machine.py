"""Where a run took place: what a reader must know of the machine before comparing figures."""

from __future__ import annotations

import os
import platform
import re
import shlex
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from bench.result import Circumstances

PACKAGES = (
    "remint",
    "aio-pika",
    "aiohttp",
    "aiomqtt",
    "cryptography",
    "httptools",
    "lxml",
    "orjson",
    "redis",
    "uvloop",
)
SERVERS: Mapping[str, tuple[str, ...]] = {
    "redis-server": ("redis-server", "--version"),
    "mosquitto": ("mosquitto", "-h"),
    "node": ("node", "--version"),
    "java": ("java", "-version"),
}
"""Programs that a run may use, and how each tells its version. RabbitMQ has no quick way."""
RABBITMQ_LIBRARIES = "/usr/lib/rabbitmq/lib"
HERE = Path(__file__).resolve().parents[1]
SECONDS = 10.0
HIDDEN = "REDACTED"
UNKNOWN = "unknown"

_NUMBER = re.compile(r"\d+(?:\.\d+)+")
_SECRET_OPTION = re.compile(r"(?i)(password|passwd|secret|token|credential|passphrase|api-?key)")
_USER_INFO = re.compile(r"://[^/?#@\s]*@")
_SECRET_PARAMETER = re.compile(r"(?i)((?:password|secret|token|key|code)=)[^&\s]+")


def circumstances(
    command: str,
    seed: int,
    configuration: Mapping[str, str],
    *,
    servers: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
) -> Circumstances:
    """The circumstances of a run that begins now.

    ``command`` is the command line, whose secrets are left out here. ``servers`` names those of
    ``SERVERS`` (or ``rabbitmq``) that take part; ``versions`` holds what the caller knows itself.
    """
    return Circumstances(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        command=without_secrets(command),
        seed=seed,
        machine=machine(),
        versions={
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "cryptography's openssl": backend.openssl_version_text(),
            **_packages(),
            **{name: server_version(name) for name in servers},
            **(versions or {}),
        },
        configuration={name: _public(value) for name, value in configuration.items()},
    )


def command_line() -> str:
    """Of this process, to be typed again, secrets left out."""
    return without_secrets(shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]))


def without_secrets(command: str) -> str:
    """The same command line with what may be secret replaced, fit to be typed again."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quotation mark that is nobody's pair: then it was not quoted at all
        words = command.split(" ")
    for at, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if not name.startswith("-") or not _SECRET_OPTION.search(name) or _names_no_secret(name):
            continue
        if equals:
            words[at] = f"{name}={HIDDEN}"
        elif at + 1 < len(words) and not words[at + 1].startswith("-"):
            words[at + 1] = HIDDEN
    return shlex.join(_public(word) for word in words)


def machine() -> dict[str, str | int | float]:
    """Processor, memory and kernel; ``unknown`` for what this system does not tell."""
    processor = _lines("/proc/cpuinfo")
    return {
        "cpu": _named(processor, "model name") or platform.processor() or UNKNOWN,
        "cores": os.cpu_count() or 0,
        "cores usable": len(os.sched_getaffinity(0)),
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "frequency": f"{_named(processor, 'cpu MHz') or UNKNOWN} MHz",
        "memory": f"{_memory()} MiB",
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "system": _system(),
        "virtualised": _virtualised(processor),
    }


def commit() -> str:
    """Of the checkout that this code is in, with ``+`` if it was changed; else ``unknown``."""
    found = _said("git", "-C", str(HERE), "rev-parse", "--short=12", "HEAD")
    if not re.fullmatch(r"[0-9a-f]{12,40}", found):
        return UNKNOWN
    return found + ("+" if _said("git", "-C", str(HERE), "status", "--porcelain") else "")


def server_version(name: str) -> str:
    """What a server's program says; ``unknown`` where it is not there."""
    if name == "rabbitmq":
        found = sorted(Path(RABBITMQ_LIBRARIES).glob("rabbitmq_server-*"))
        return found[-1].name.partition("-")[2] if found else UNKNOWN
    if name not in SERVERS:
        return UNKNOWN
    number = _NUMBER.search(_said(*SERVERS[name]))
    return number.group() if number else UNKNOWN


def _public(text: str) -> str:
    """Without users in URLs and secret parameters in their queries."""
    return _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", _USER_INFO.sub(f"://{HIDDEN}@", text))


def _names_no_secret(option: str) -> bool:
    """``--password-file`` names a file, ``--requested-token-type`` a type."""
    return option.endswith(("-file", "-type", "-url")) or option == "--target"


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _said(*command: str) -> str:
    """Standard output and error of a program that ends at once; empty where it is not there."""
    try:
        ran = subprocess.run(  # noqa: S603  # git and the servers above, by name
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", UNKNOWN)
    except OSError:
        return UNKNOWN


def _virtualised(processor: list[str]) -> str:
    """The product's name where the processor says that there is a hypervisor."""
    if "hypervisor" not in (_named(processor, "flags") or "").split():
        return "no hypervisor seen"
    product = _text("/sys/class/dmi/id/product_name")
    return "yes" if product == UNKNOWN else f"yes: {product}"


def _named(lines: list[str], name: str) -> str | None:
    """The first value of a name in ``name : value`` lines."""
    for line in lines:
        found, colon, value = line.partition(":")
        if colon and found.strip() == name:
            return value.strip()
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _text(path: str) -> str:
    return "".join(_lines(path)[:1]).strip() or UNKNOWN
