"""The management port's settings: with what they go together, and what is said of them."""

from __future__ import annotations

import pytest

from adapters.settings import InvalidSettings, load
from adapters.settings_checks import warnings

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # to be warned of


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"REMINT_HTTP__{name.upper()}", value)


@pytest.mark.parametrize(
    ("values", "place", "url"),
    [
        ({}, None, ""),
        ({"management_port": "9464"}, ("127.0.0.1", 9464), "http://127.0.0.1:9464"),
        ({"management_port": "9464", "host": "::1"}, ("::1", 9464), "http://[::1]:9464"),
        (
            {"management_port": "8080", "management_host": "127.0.0.2"},
            ("127.0.0.2", 8080),
            "http://127.0.0.2:8080",
        ),
    ],
    ids=["main port", "same host", "IPv6", "own host"],
)
def test_place(
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, str],
    place: tuple[str, int] | None,
    url: str,
) -> None:
    """The management port is at the host that is named, else at the front door's."""
    _set(monkeypatch, **values)
    assert (load().http.management_place, load().http.management_url) == (place, url)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"management_port": "8080"}, "http.management_port: http.port is the same"),
        ({"management_port": "0"}, "http.management_port: "),
        ({"management_port": "65536"}, "http.management_port: "),
        ({"management_host": "127.0.0.1"}, "http.management_host: nothing listens there"),
    ],
    ids=["taken by ourselves", "no port", "too high", "host alone"],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], problem: str) -> None:
    """A management port that cannot be, or a host without one, is said before the start."""
    _set(monkeypatch, **values)
    with pytest.raises(InvalidSettings) as invalid:
        load()
    (said,) = invalid.value.problems
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, None),
        ({"management_port": "9464"}, None),
        ({"management_port": "9464", "management_host": EVERY_ADDRESS}, "in plain HTTP"),
        ({"host": EVERY_ADDRESS, "tls": "offloaded"}, "on the main port"),
        ({"host": EVERY_ADDRESS, "tls": "offloaded", "management_port": "9464"}, None),
        (
            {"host": EVERY_ADDRESS, "tls": "offloaded", "management_port": "9464"}
            | {"management_host": "127.0.0.1"},
            None,
        ),
    ],
    ids=["home", "home too", "beyond", "main port beyond", "behind a proxy", "home behind it"],
)
def test_warned_of(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str | None
) -> None:
    """Where machines beyond this one and a proxy's can read metrics, a warning says so."""
    _set(monkeypatch, **values)
    found = [each for each in warnings(load()) if each.startswith("http.")]
    assert len(found) == (0 if said is None else 1)
    assert all(str(said) in each for each in found)
