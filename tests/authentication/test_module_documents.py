"""Whatever is written of a module is read or refused, and nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.authentication import draft
from adapters.authentication.draft import Drafts
from adapters.authentication.kinds import builtin
from adapters.authentication.modules.ldap.kind import KEYS as LDAP
from adapters.authentication.modules.radius.configuration import KEYS as RADIUS
from adapters.authentication.modules.remote_am.configuration import KEYS as REMOTE_AM
from broker.errors import InvalidModule
from tests.support.authentication import parts

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "ldap://[",
            "ldap://h:99999",
            "ldapi://%00",
            "ldaps://[::1%25x]",
            "https://[x]/",
            "https://h:x",
            "\ud800",
            "[::1",
            "h:-1",
            "h:²",
            "../../etc/passwd",
            "\0",
            "uid=a,dc=b",
            "(uid={login})",
            "\\",
            "S-1-5-²",
            "१",
            "(unchanged)",
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


GOOD: dict[str, dict[str, Any]] = {
    "ldap": {
        "servers": ["ldaps://ldap.example.com"],
        "bind": "anonymous",
        "search_bases": ["dc=example"],
    },
    "radius": {"servers": ["radius.example.com"], "secret": "a secret of sixteen"},
    "remote_am": {"url": "https://am.example.com/am"},
}


def _documents(kind: str, keys: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(st.sampled_from(keys), VALUES, max_size=4)
    return members.map(lambda found: {**GOOD[kind], **found, "name": "x", "kind": kind})


DOCUMENTS = st.one_of(
    _documents("ldap", LDAP), _documents("radius", RADIUS), _documents("remote_am", REMOTE_AM)
)


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> Drafts:
    folder: Path = tmp_path_factory.mktemp("modules")
    return Drafts(builtin(), parts(folder))


@given(document=DOCUMENTS, old=st.one_of(st.none(), DOCUMENTS), realm=st.sampled_from(["/", "/a"]))
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_module(
    drafts: Drafts, document: Mapping[str, Any], old: Mapping[str, Any] | None, realm: str
) -> None:
    """A module of any words is made, and made again out of what is kept, or it is refused."""
    try:
        made = drafts.module(realm, document, old)
    except InvalidModule:
        return
    assert made["name"] == "x"
    assert drafts.compiled(realm, made).name == "x"


@given(state=VALUES)
@settings(deadline=None)
def test_any_chain_and_default(state: Any) -> None:
    """So are chains and defaults."""
    for read in (draft.chain, draft.default):
        for written in (state, {"name": "x", "modules": state, "target": state}):
            try:
                read("/", written)
            except InvalidModule:
                continue
