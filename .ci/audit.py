"""Ask whether what the lock file pins has known vulnerabilities: ``python .ci/audit.py``.

Exits 1 where it has. Where nobody can be asked (no network, or an index without advisories), it
says so in one line and exits 0: a closed network must not stop the work.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements-dev.lock"
TIMEOUT_SECONDS = 60
UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")

# Advisories that do not concern us, each with its reason: {"PYSEC-…": "why"}.
IGNORED: dict[str, str] = {}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        try:
            run = subprocess.run(_command(report), capture_output=True, timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return _skipped(f"no answer within {TIMEOUT_SECONDS} seconds")
        if report.exists():
            return _judged(json.loads(report.read_text()))
    said = run.stderr.decode(errors="replace")
    if any(name in said for name in UNREACHABLE):
        return _skipped("the package index cannot be reached")
    print("\n".join(said.splitlines()[-20:]), file=sys.stderr)
    return 1


def _command(report: Path) -> list[str]:
    """The lock is complete, so nothing is resolved and nothing installed."""
    ignored = [part for name in IGNORED for part in ("--ignore-vuln", name)]
    return [
        *(sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--timeout", "10"),
        *("--disable-pip", "--require-hashes", "--requirement", str(LOCK)),
        *("--format", "json", "--output", str(report), "--desc", "off", *ignored),
    ]


def _judged(report: dict[str, Any]) -> int:
    audited = [package for package in report["dependencies"] if "skip_reason" not in package]
    if not audited:
        return _skipped("the package index publishes no advisories")
    found = [
        f"{package['name']} {package['version']}: {finding['id']}, "
        f"fixed in {', '.join(finding['fix_versions']) or 'no version yet'}"
        for package in audited
        for finding in package["vulns"]
    ]
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    print(f"pip-audit: no known vulnerability in {len(audited)} of {len(report['dependencies'])}")
    return 0


def _skipped(reason: str) -> int:
    print(f"pip-audit: skipped, {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
