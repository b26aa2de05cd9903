"""The table of `docs/rest-sts.md`: whole, and true, since what stands behind each row runs."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
import pytest_asyncio

from adapters.instances import forgerock, wire_rules
from adapters.migration import known
from tests.http import matrix, test_error_table, test_publish_refusals, test_publish_rules
from tests.http.rows import Row as Mistake
from tests.http.states import body, state
from tests.rest_sts.page import KEYS, PAGE, SECTIONS, is_key, page
from tests.rest_sts.rows import (
    SAME,
    Answered,
    Asked,
    Broken,
    Kept,
    Probe,
    Row,
    Ruled,
    Section,
    Shown,
)
from tests.support import door as doors
from tests.support.door import HEADER, Door
from tests.support.planted import Planted

REST = "/sts-publish/rest"
KEPT_ALONE = {
    "is-remote-sts-instance",
    "oidc_id_token_auth_target_header_key",
    "x509_token_auth_target_header_key",
}
IN_ONE = pytest.mark.asyncio(loop_scope="module")
MISTAKES: list[Mistake] = [*test_error_table.REFUSALS, *test_error_table.NO_ERRORS]
RULED = {key for key, _ in test_publish_rules.BROKEN.values()} | {
    key for key, _ in test_publish_refusals.BROKEN.values()
}
ROWS = [(section, row) for section in SECTIONS for row in section.rows]


def _titled(row: Row) -> str:
    return row.name.replace("`", "").replace("::", ":").encode("ascii", "replace").decode()


def _each(kind: type[Probe]) -> list[Any]:
    """(section, row, probe) of every probe of a kind."""
    each = []
    for section, row in ROWS:
        found = [probe for probe in row.probes if isinstance(probe, kind)]
        for number, probe in enumerate(found):
            title = f"{section.title.replace('`', '')}: {_titled(row)} {number or ''}".strip()
            each.append(pytest.param(section, row, probe, id=title))
    return each


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """One broker for the file, in memory: rows are many."""
    folder, planted = tmp_path_factory.mktemp("rows"), Planted()
    with pytest.MonkeyPatch.context() as patch:
        for name in matrix.settings_of_the_shell():
            patch.delenv(name)
        async with doors.opened(folder, planted, store={"url": "memory://"}) as opened:
            yield opened
            said = [*opened.refusals, (folder / "audit.log").read_text()]
    assert not planted.found_in(said)


# -- the page ------------------------------------------------------------------------------------


def test_page_is_what_the_rows_say() -> None:
    """The page is the one that the rows write; ``python -m tests.rest_sts`` writes it."""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize(
    "row", [row for _, row in ROWS], ids=[f"{s.title[:20]}: {_titled(r)}" for s, r in ROWS]
)
def test_no_row_is_empty(row: Row) -> None:
    """Each row has a name, says something, and has something behind it that runs."""
    assert row.name.strip()
    assert row.note.strip().endswith(".")
    assert row.probes


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_rows_are_told_apart(section: Section) -> None:
    """No name comes twice in a section."""
    names = [row.name for row in section.rows]
    assert len(names) == len(set(names))


# -- keys ----------------------------------------------------------------------------------------


class _Noting(dict[str, Any]):
    """An object that notes which of its members were asked for."""

    def __init__(self, members: Mapping[str, Any], asked: set[str]) -> None:
        super().__init__(members)
        self.asked = asked

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def _keys_that_are_read() -> set[str]:
    """What the broker asks a document for that uses every option."""
    asked: set[str] = set()
    entry = {"mapping-auth-index-type": "module", "mapping-auth-index-value": "m"}
    for algorithm, file in (("HS256", ""), ("RS256", "keys.p12")):
        made = state(
            saml2={
                "saml2-encrypt-assertion": "true",
                "saml2-keystore-filename": file,
                "saml2-encryption-keystore-filename": file,
            },
            oidc={
                "oidc-signature-algorithm": algorithm,
                "oidc-encryption-key": {},
                "oidc-keystore-location": file,
            },
        )
        targets = made["deployment-config"]
        targets["deployment-auth-target-mappings"] = {"X509": _Noting(entry, asked)}
        sections = {
            name: _Noting(value, asked) if isinstance(value, dict) else value
            for name, value in made.items()
        }
        forgerock.decode(_Noting(sections, asked))
    return asked


def _keys_of_the_page() -> set[str]:
    return {row.name for section in KEYS for row in section.rows if is_key(row)}


def test_every_key_has_its_row() -> None:
    """Each key that a document is asked for, or that an answer may name, stands in the table."""
    named = set(forgerock.KEYS.values()) | {
        key for keys in wire_rules.REQUIRED.values() for key in keys
    }
    assert _keys_that_are_read() | named <= _keys_of_the_page()


def test_every_row_s_key_is_read() -> None:
    """No row names a key that the broker never looks at, but for those that are only kept."""
    assert _keys_of_the_page() - KEPT_ALONE <= _keys_that_are_read()


def test_import_knows_every_key() -> None:
    """An export may hold each key of the table, and the import tells of no other as known."""
    inside = {key for key in _keys_of_the_page() if key.startswith("mapping-")}
    inside |= set(known.SECTIONS) | (KEPT_ALONE - known.SAID.keys())
    assert (known.KEYS | known.SAID.keys()) - inside == _keys_of_the_page() - inside


@IN_ONE
@pytest.mark.parametrize(("section", "row", "probe"), _each(Kept))
async def test_key_is_kept(door: Door, section: Section, row: Row, probe: Kept) -> None:
    """A document with the key publishes and is read back with it."""
    key = probe.key or row.name
    changes: dict[str, Any] = {part: dict(members) for part, members in probe.also.items()}
    changes.setdefault(section.part, {})[key] = probe.value
    sent = state(**changes)
    head = await door.admin()
    answer = await door.request("POST", f"{REST}?_action=create", body=body(sent), headers=head)
    assert answer.status == 201, answer.text
    element = answer.body["_id"]
    read = (await door.request("GET", f"{REST}/{element}", headers=head)).body[element]
    await door.request("DELETE", f"{REST}/{element}", headers=head)
    part = {
        "top": read,
        "deployment": read["deployment-config"],
        "saml2": read["saml2-config"],
        "oidc": read["oidc-id-token-config"],
    }[section.part]
    assert part[key] == (probe.value if probe.shown is SAME else probe.shown)


@IN_ONE
@pytest.mark.parametrize(("section", "row", "probe"), _each(Broken))
async def test_broken_rule(door: Door, section: Section, row: Row, probe: Broken) -> None:
    """A document that breaks the key's rule is a 400 that names the key."""
    head = await door.admin()
    sent = body(state(**probe.changes))
    answer = await door.request("POST", f"{REST}?_action=create", body=sent, headers=head)
    assert answer.status == 400, answer.text
    assert row.name in {problem["key"] for problem in answer.body["detail"]}, answer.text


@pytest.mark.parametrize(("section", "row", "probe"), _each(Ruled))
def test_rule_is_tested(section: Section, row: Row, probe: Ruled) -> None:
    """The tests of broken rules have a document that breaks one of the key's."""
    assert row.name in RULED


def test_every_rule_has_its_row() -> None:
    """What the tests of broken rules name stands in the table, as a key with rules."""
    ruled = {row.name for _, row in ROWS if any(isinstance(p, Ruled | Broken) for p in row.probes)}
    assert ruled >= RULED


# -- requests ------------------------------------------------------------------------------------


@IN_ONE
@pytest.mark.parametrize(("section", "row", "probe"), _each(Asked))
async def test_request(door: Door, section: Section, row: Row, probe: Asked) -> None:
    """The request is answered with its status, and the members that the row speaks of."""
    head = dict(probe.headers)
    if probe.who == "admin":
        head |= await door.admin()
    elif probe.who == "user":
        head[HEADER] = await door.login()
    answer = await door.request(probe.method, probe.path, body=probe.body, headers=head)
    assert answer.status == probe.status, answer.text
    assert set(probe.members) <= set(answer.body)
    assert (answer.status < 400) or answer.body["code"] == probe.status


def _mistakes(probe: Answered) -> dict[str, list[Mistake]]:
    return {
        title: [each for each in MISTAKES if fnmatchcase(each.title, title)]
        for title in probe.titles
    }


@pytest.mark.parametrize(("section", "row", "probe"), _each(Answered))
def test_mistakes_have_the_row_s_status(section: Section, row: Row, probe: Answered) -> None:
    """The error table has the mistakes that the row speaks of, with its status."""
    for title, found in _mistakes(probe).items():
        assert found, title
        assert {each.status for each in found} == {row.status}, title


def test_every_mistake_has_its_row() -> None:
    """Each mistake of the error table belongs to one row of the page, and to no other."""
    told: list[str] = []
    for _, row in ROWS:
        for probe in row.probes:
            if isinstance(probe, Answered):
                told += {each.title for found in _mistakes(probe).values() for each in found}
    assert sorted(told) == sorted(each.title for each in MISTAKES)


# -- tests elsewhere -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            name
            for _, row in ROWS
            for probe in row.probes
            if isinstance(probe, Shown)
            for name in probe.names
        }
    ),
)
def test_named_test_exists(name: str) -> None:
    """A test that a row names is there, and says what it promises."""
    file, _, function = name.partition("::")
    module = importlib.import_module("tests." + file.replace("/", "."))
    assert function.startswith("test_")
    assert inspect.isfunction(getattr(module, function))
    assert getattr(module, function).__doc__
