"""Who checks logins, through the front door: modules, chains, defaults and targets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.document import CHAIN, DEFAULT, MODULE, MOST
from adapters.authentication.files import import_file
from broker.errors import Conflict, InvalidRequest
from broker.instance import Instance
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.issuers import NAME as ISSUER_NAME
from tests.support.issuers import PATH as ISSUERS
from tests.support.issuers import id_token, token_input, trusting
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.word_module import WordModule, install_word

PATH = "/json/authentication"
HIDDEN = "(unchanged)"
WORD = {"kind": "word", "word": USER_PASSWORD, "attributes": {"mail": "w@example.org"}}
STAFF = {"kind": "files"}


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[WordModule]:
    return install_word(tmp_path, monkeypatch)


async def session(door: Door) -> dict[str, str]:
    """An administrator's, which no default of the realm can keep from being opened."""
    parts = door.broker.components
    user = await parts.users.get("/", "admin")
    assert user is not None
    return {HEADER: (await parts.sessions.open(user)).id.reveal()}


async def admin(door: Door, method: str, path: str, body: Any = None, **head: str) -> Answer:
    headers = {**await session(door), **{k.replace("_", "-"): v for k, v in head.items()}}
    return await door.request(method, PATH + path, body=body, headers=headers)


async def put(door: Door, path: str, body: Any) -> Answer:
    answer = await admin(door, "PUT", path, body)
    assert answer.status in (200, 201), answer.text
    return answer


def links(**flags: str) -> dict[str, Any]:
    return {"modules": [{"module": name, "flag": flag} for name, flag in flags.items()]}


async def ask(door: Door, target: str, given: Any = None, wanted: Any = ID_TOKEN) -> Answer:
    """A translation at an instance whose USERNAME input goes to the target."""
    await door.publish(targeted(an_instance("asked"), USERNAME=target))
    return await door.translate(given or user_input(), wanted, instance="asked")


# -- targets -------------------------------------------------------------------------------------


async def test_chain_checks_a_login(door: Door) -> None:
    """The chain that an instance names decides, for SAML2 and OPENIDCONNECT output; the caller of
    a refused login hears the same as ever, the audit what each module said."""
    await put(door, "/modules/staff", STAFF)
    await put(door, "/chains/two", links(DataStore="requisite", staff="required"))
    for wanted in (ID_TOKEN, ASSERTION):
        assert (await ask(door, "service|two", wanted=wanted)).status == 200
        refused = await ask(door, "service|two", user_input("wrong"), wanted)
        assert (refused.status, refused.body["message"]) == (401, "Authentication Failed")
        assert door.audit()[-1]["reason"] == "DataStore: wrong password"
        accepted = next(line for line in reversed(door.audit()) if line["outcome"] == "ok")
        assert "vouched_by" not in accepted or accepted["vouched_by"].startswith("DataStore: ")
    notes = [line.get("vouched_by") for line in door.audit()]
    assert notes.count("DataStore: passed; staff: passed") == 2


async def test_attributes_of_a_directory(door: Door) -> None:
    """Whom a module of its own directory lets in is nobody of ours, whatever the name, and the
    claim map reads what the module says."""
    await put(door, "/modules/words", WORD)
    token = await ask(door, "module|words", user_input(name="admin"))
    claims = (await judges.id_token(door, token.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["email"]) == ("admin", "w@example.org")
    (record,) = await door.tokens()
    assert record.principal == "auth://words#admin"
    assertion = await ask(door, "module|words", user_input(name="admin"), ASSERTION)
    assert "w@example.org" in assertion.body["issued_token"]


@pytest.mark.parametrize(
    ("flags", "statuses"),
    [
        ({"words": "required", "DataStore": "required"}, (200, 401)),
        ({"words": "requisite", "DataStore": "required"}, (200, 401)),
        ({"words": "sufficient", "down": "required"}, (200, 503)),
        ({"words": "sufficient", "DataStore": "optional"}, (200, 401)),
        ({"words": "optional"}, (200, 401)),
        ({"down": "optional", "words": "required"}, (200, 401)),
        ({"down": "sufficient", "words": "required"}, (200, 503)),
        ({"words": "required", "down": "required"}, (503, 401)),
        ({"down": "requisite", "words": "required"}, (503, 503)),
    ],
    ids=str,
)
async def test_flags(door: Door, flags: dict[str, str], statuses: tuple[int, int]) -> None:
    """Each control flag counts as it says, for a right and a wrong password; who is down is a 503
    with Retry-After where its word might have helped, and never lets in."""
    await put(door, "/modules/words", WORD)
    await put(door, "/modules/down", {**WORD, "does": "down"})
    await put(door, "/chains/c", links(**flags))
    for password, status in zip((USER_PASSWORD, "wrong"), statuses, strict=True):
        answer = await ask(door, "service|c", user_input(password))
        assert answer.status == status, answer.text
        assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize("target", ["service|ldapService", "module|DataStore"])
async def test_names_that_exports_use(door: Door, target: str) -> None:
    """What the exports of AM name means the local users where the realm has nothing of that name,
    and the realm's own once it has."""
    assert (await ask(door, target)).status == 200
    assert (await ask(door, target, user_input("wrong"))).status == 401
    kind, _, name = target.partition("|")
    await put(door, "/modules/down", {**WORD, "does": "down"})
    own = links(down="required") if kind == "service" else {**WORD, "does": "down"}
    await put(door, f"/{'chains' if kind == 'service' else 'modules'}/{name}", own)
    assert (await ask(door, target)).status == 503


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("service|nope", "no authentication chain called nope"),
        ("module|nope", "no authentication module called nope"),
        ("service|staff", "no authentication chain called staff"),
        ("user|demo", "of the type user cannot be checked here"),
        ("level|3", "of the type level cannot be checked here"),
    ],
)
async def test_unknown_targets(door: Door, target: str, words: str) -> None:
    """A target that the realm lacks is a 400 that says which; nobody else checks in its place."""
    await put(door, "/modules/staff", STAFF)
    answer = await ask(door, target)
    assert (answer.status, words in answer.body["message"]) == (400, True), answer.text


async def test_defaults(door: Door) -> None:
    """A realm's default checks input of a type that an instance maps to nobody; an instance's own
    mapping goes before it, and no other realm has it."""
    await put(door, "/modules/words", WORD)
    await put(door, "/defaults/USERNAME", {"target": "module|words"})
    await door.publish(an_instance("other", realm=REALM))
    stranger = user_input(name="nobody-of-ours")
    assert (await door.translate(stranger, ID_TOKEN)).status == 200
    assert (await ask(door, "service|ldapService", stranger)).status == 401
    there = await door.translate(stranger, ID_TOKEN, instance=f"{REALM.strip('/')}/other")
    assert there.status == 401
    session = session_input(await door.login())
    assert (await door.translate(session, ID_TOKEN)).status == 200
    assert (await admin(door, "DELETE", "/defaults/USERNAME")).status == 200
    assert (await door.translate(stranger, ID_TOKEN)).status == 401


async def test_published_as_am_writes_it(door: Door) -> None:
    """The targets of a ForgeRock document lead to the realm's chain, and to none of another's."""
    await put(door, "/modules/words", WORD)
    await put(door, "/chains/wordsOnly", links(words="required"))
    stranger = user_input(name="nobody-of-ours")
    assert (await ask(door, "service|wordsOnly", stranger)).status == 200
    await door.publish(targeted(an_instance("far", realm=REALM), USERNAME="service|wordsOnly"))
    far = await door.translate(stranger, ID_TOKEN, instance=f"{REALM.strip('/')}/far")
    assert far.status == 400


async def test_code_beside_a_password(door: Door) -> None:
    """A chain with a second factor takes the code from the member otp; without it the login
    failed, and one that is no text or too long is a 400."""
    await put(door, "/modules/codes", {**WORD, "word": "123456", "does": "ask"})
    await put(door, "/chains/two", links(DataStore="requisite", codes="required"))
    given = {"123456": 200, "654321": 401, None: 401, "": 401, 5: 400, "x" * 129: 400}
    for code, status in given.items():
        assert (await ask(door, "service|two", {**user_input(), "otp": code})).status == status


async def test_code_that_counts_once(door: Door) -> None:
    """What a module says counts once is spent by the token that was issued for it."""
    await put(door, "/modules/codes", {**WORD, "does": "once"})
    given = {**user_input(name="nobody-of-ours"), "otp": "1"}
    assert [(await ask(door, "module|codes", given)).status for _ in "12"] == [200, 401]
    assert (await ask(door, "module|codes", {**given, "otp": "2"})).status == 200


async def test_two_who_say_two_names(door: Door) -> None:
    """A chain whose modules mean two people lets nobody in."""
    await put(door, "/modules/words", WORD)
    await put(door, "/chains/two", links(words="required", DataStore="required"))
    await door.add_user("demo2")
    assert (await ask(door, "service|two")).status == 200
    assert (await ask(door, "service|two", user_input(name="DEMO"))).status == 401


# -- tokens as evidence --------------------------------------------------------------------------


def of_tokens(given: str, target: str) -> Instance:
    offered = (pair(given, "OPENIDCONNECT"),)
    return targeted(an_instance("tokens", transforms=offered), **{given: target})


async def test_session_in_a_chain(door: Door) -> None:
    """A session is checked by the kind session, in a chain with others; a session that has ended
    is refused as ever."""
    await put(door, "/modules/sso", {"kind": "session"})
    await put(door, "/modules/down", {**WORD, "does": "down"})
    await put(door, "/chains/c", links(sso="required", down="optional"))
    await door.publish(of_tokens("OPENAM", "service|c"))
    session = session_input(await door.login())
    assert (await door.translate(session, ID_TOKEN, instance="tokens")).status == 200
    ended = await door.translate(session_input("gone"), ID_TOKEN, instance="tokens")
    assert ended.status == 401


@pytest.mark.parametrize(
    ("issuers", "status"), [(["https://idp.example.com"], 200), (["https://x.example"], 401)]
)
@pytest.mark.parametrize("linked", [False, True])
async def test_id_token_of_some_issuers(
    door: Door, issuers: list[str], status: int, *, linked: bool
) -> None:
    """The kind oidc takes ID tokens of the issuers that it names and of no others that the realm
    trusts, whether its subjects are local users or not."""
    trusted = trusting(link_local_users=linked)
    await door.add_user("alice")
    headers = await door.admin()
    answer = await door.request("PUT", f"{ISSUERS}/{ISSUER_NAME}", body=trusted, headers=headers)
    assert answer.status == 201, answer.text
    await put(door, "/modules/partners", {"kind": "oidc", "issuers": issuers})
    await door.publish(of_tokens("OPENIDCONNECT", "module|partners"))
    given = token_input(id_token(sub="alice"))
    answer = await door.translate(given, ID_TOKEN, instance="tokens")
    assert answer.status == status, answer.text
    await door.publish(of_tokens("OPENIDCONNECT", "module|oidc"))
    assert (await door.translate(given, ID_TOKEN, instance="tokens")).status == 200


async def test_evidence_that_did_not_come(door: Door) -> None:
    """A module that wants another kind of evidence than came refuses the login."""
    await put(door, "/modules/cert", {"kind": "certificate"})
    assert (await ask(door, "module|cert")).status == 401
    assert door.audit()[-1]["reason"] == "no X509 came along"
    await door.publish(of_tokens("OPENAM", "module|DataStore"))
    session = session_input(await door.login())
    assert (await door.translate(session, ID_TOKEN, instance="tokens")).status == 401


# -- administration ------------------------------------------------------------------------------


async def test_life_of_a_module(door: Door, made: list[WordModule]) -> None:
    """A module is created, read, listed, replaced and deleted; its secret is hidden, and survives
    being read and written back."""
    body = {"name": "words", **WORD}
    created = await admin(door, "POST", "/modules?_action=create", body)
    assert created.status == 201, created.text
    assert created.body == {
        "_id": "words",
        "_rev": created.body["_rev"],
        **body,
        "word": HIDDEN,
    }
    assert (await admin(door, "POST", "/modules?_action=create", body)).status == 409
    listed = await admin(door, "GET", "/modules")
    assert listed.body == {"result": [created.body], "resultCount": 1}
    changed = await put(door, "/modules/words", {**created.body, "attributes": {"mail": "x"}})
    assert changed.body["word"] == HIDDEN
    assert changed.body["_rev"] != created.body["_rev"]
    assert (await ask(door, "module|words")).status == 200
    old = await admin(door, "PUT", "/modules/words", body, If_Match=created.body["_rev"])
    assert old.status == 412
    texts = [created.text, changed.text, (await admin(door, "GET", "/modules")).text]
    assert not door.planted.found_in(texts)
    assert (await admin(door, "DELETE", "/modules/words")).body == changed.body
    assert (await admin(door, "GET", "/modules/words")).status == 404
    assert (await ask(door, "module|words")).status == 400


async def test_secret_that_was_never_there(door: Door) -> None:
    """The sign for an unchanged secret is no secret where none was kept."""
    answer = await admin(door, "PUT", "/modules/w", {**WORD, "word": HIDDEN})
    assert answer.status == 400
    assert "word" in {each["key"] for each in answer.body["detail"]}


@pytest.mark.parametrize(
    ("path", "body", "keys"),
    [
        ("/modules/a", {"kind": "nope"}, {"kind"}),
        ("/modules/a", {}, {"kind"}),
        ("/modules/a", {"kind": "files", "server": "x"}, {"server"}),
        ("/modules/a", {"kind": "oidc", "issuers": [""]}, {"issuers"}),
        ("/modules/a", {"kind": "files", "name": "b"}, {"name"}),
        ("/modules/a%20b", {"kind": "files"}, {"name"}),
        ("/modules/a", {"kind": "word", "word": "x", "server": ["x" * 70_000]}, {"document"}),
        ("/chains/a", {"modules": []}, {"modules"}),
        ("/chains/a", {}, {"modules"}),
        ("/chains/a", {"modules": [{"module": "DataStore"}]}, {"flag"}),
        ("/chains/a", {"modules": [{"module": "DataStore", "flag": "maybe"}]}, {"flag"}),
        ("/chains/a", {"modules": [{"flag": "required"}]}, {"module"}),
        ("/chains/a", {"modules": [{"module": "x", "flag": "required"}] * 2}, {"modules"}),
        ("/chains/a", {"modules": [{"module": "x", "flag": "required"}] * 21}, {"modules"}),
        ("/defaults/USERNAME", {"target": "words"}, {"target"}),
        ("/defaults/USERNAME", {"target": "user|words"}, {"target"}),
        ("/defaults/OTHER", {"target": "module|DataStore"}, {"name"}),
        ("/defaults/USERNAME", {"target": "module|DataStore", "more": 1}, {"more"}),
    ],
    ids=str,
)
async def test_every_problem_is_named(door: Door, path: str, body: Any, keys: set[str]) -> None:
    """A document that breaks rules is a 400 with each of them by its key, and is not kept."""
    answer = await admin(door, "PUT", path, body)
    assert answer.status == 400, answer.text
    assert {problem["key"] for problem in answer.body["detail"]} >= keys
    assert (await admin(door, "GET", path.rpartition("/")[0])).body["result"] == []


async def test_what_is_named_stays(door: Door) -> None:
    """A module that a chain names, and a chain that a default names, cannot be removed, nor can
    one be named that is not there; a built-in namesake does not take its place unseen."""
    missing = await admin(door, "PUT", "/chains/c", links(words="required"))
    assert (missing.status, "module words" in missing.body["message"]) == (409, True)
    missing = await admin(door, "PUT", "/defaults/USERNAME", {"target": "service|c"})
    assert (missing.status, "chain c" in missing.body["message"]) == (409, True)
    await put(door, "/modules/DataStore", WORD)
    await put(door, "/chains/c", links(DataStore="required"))
    await put(door, "/defaults/USERNAME", {"target": "service|c"})
    for path in ("/modules/DataStore", "/chains/c"):
        assert (await admin(door, "DELETE", path)).status == 409
    for path in ("/defaults/USERNAME", "/chains/c", "/modules/DataStore"):
        assert (await admin(door, "DELETE", path)).status == 200


@pytest.mark.parametrize("part", [MODULE, CHAIN])
async def test_only_so_many(door: Door, part: str) -> None:
    """A realm has a hundred modules and a hundred chains at most."""
    directory = door.broker.components.authentication
    rows = directory.modules if part == MODULE else directory.chains
    state = STAFF if part == MODULE else links(DataStore="required")
    for number in range(MOST[part]):
        await rows.put("/", f"r{number}", state)
    with pytest.raises(Conflict, match=str(MOST[part])):
        await rows.put("/", "more", state)
    assert MOST[DEFAULT] >= 4


async def test_administrators_alone(door: Door) -> None:
    """Nobody else reads or writes who checks logins, and those of a sub realm only their own."""
    ours = await door.realm_admin()
    for path in ("", "/modules", "/modules/x", "/chains", "/defaults", "/other"):
        for method in ("GET", "PUT", "DELETE"):
            body = STAFF if method == "PUT" else None
            assert (await door.request(method, PATH + path, body=body)).status == 401
            head = {HEADER: await door.login()}
            answer = await door.request(method, PATH + path, body=body, headers=head)
            assert answer.status == 403
            assert (await door.request(method, PATH + path, body=body, headers=ours)).status == 403
    mine = f"/json{REALM}/authentication/modules/x"
    assert (await door.request("PUT", mine, body=STAFF, headers=ours)).status == 201
    assert (await admin(door, "GET", "/modules")).body["result"] == []
    assert (await admin(door, "GET", "/other")).status == 404
    assert (await admin(door, "PATCH", "/modules/x", {})).status in (405, 501)


@pytest.mark.parametrize(
    "server",
    ["ldap://127.0.0.1", "localhost:389", "[::1]:1812", "ldapi:///x", "http://a.localhost"],
)
async def test_no_address_of_this_machine(door: Door, server: str) -> None:
    """The administrator of a sub realm cannot have the broker ask what listens beside it; the root
    realm's can."""
    ours, mine = await door.realm_admin(), f"/json{REALM}/authentication/modules/x"
    body = {**WORD, "server": server}
    refused = await door.request("PUT", mine, body=body, headers=ours)
    assert (refused.status, refused.body["detail"][0]["key"]) == (400, "server")
    far = {**WORD, "server": "ldaps://ldap.example.com"}
    assert (await door.request("PUT", mine, body=far, headers=ours)).status == 201
    assert (await admin(door, "PUT", "/modules/x", body)).status == 201


async def test_realm_with_modules_is_not_empty(door: Door) -> None:
    """A realm is deleted only once it has no modules, so that none of its name inherits them."""
    head = await door.admin()
    made = await door.request("POST", "/json/realms", body={"realm": "/sales"}, headers=head)
    path = "/json/sales/authentication/modules/x"
    assert (await door.request("PUT", path, body=STAFF, headers=head)).status == 201
    gone = await door.request("DELETE", f"/json/realms/{made.body['_id']}", headers=head)
    assert (gone.status, "modules" in gone.body["message"]) == (409, True)
    await door.request("DELETE", path, headers=head)
    gone = await door.request("DELETE", f"/json/realms/{made.body['_id']}", headers=head)
    assert gone.status == 200


# -- while it runs -------------------------------------------------------------------------------


async def test_change_ends_no_login(door: Door, made: list[WordModule]) -> None:
    """A module that was replaced is closed once, and not before the login that it works on is
    answered; one whose document stayed the same is kept."""
    await put(door, "/modules/same", WORD)
    await put(door, "/modules/slow", {**WORD, "does": "hang"})
    slow, same = made[-1], made[1]
    await door.publish(targeted(an_instance("asked"), USERNAME="module|slow"))
    login = asyncio.create_task(door.translate(user_input(), ID_TOKEN, instance="asked"))
    await slow.waiting.wait()
    await put(door, "/modules/slow", WORD)
    assert slow.closed == 0
    slow.go_on.set()
    assert (await login).status == 200
    assert (slow.closed, same.closed) == (1, 0)


@pytest.fixture
async def second(door: Door, planted: Planted) -> AsyncIterator[Door]:
    """Another broker on the same store."""
    state = door.broker.components.settings.state_dir
    async with doors.opened(state, planted) as other:
        yield other


async def test_brokers_share_them(door: Door, second: Door) -> None:
    """What one broker is told, the next request at another goes by."""
    stranger = user_input(name="nobody-of-ours")
    await put(door, "/modules/words", WORD)
    await put(door, "/defaults/USERNAME", {"target": "module|words"})
    assert (await second.translate(stranger, ID_TOKEN)).status == 200
    await put(second, "/modules/words", {**WORD, "does": "down"})
    assert (await door.translate(stranger, ID_TOKEN)).status == 503
    await admin(second, "DELETE", "/defaults/USERNAME")
    assert (await door.translate(stranger, ID_TOKEN)).status == 401


async def test_kind_that_is_not_installed_here(
    tmp_path: Path, planted: Planted, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of a kind that this broker lacks lets nobody in and keeps the others from nothing;
    its document is not shown, since nobody knows what of it is secret."""
    async with doors.opened(tmp_path / "state", planted) as door:
        await put(door, "/modules/words", WORD)
    monkeypatch.setattr("adapters.authentication.kinds.GROUP", "remint.none")
    async with doors.opened(tmp_path / "state", planted) as door:
        assert (await ask(door, "module|words")).status == 503
        assert (await ask(door, "module|DataStore")).status == 200
        shown = (await admin(door, "GET", "/modules/words")).body
        assert shown.keys() == {"_id", "_rev", "name", "kind"}


# -- from a file ---------------------------------------------------------------------------------

FILE = f"""
[[default]]
USERNAME = "service|both"

[[chain]]
name = "both"
modules = [{{ module = "DataStore", flag = "required" }}, {{ module = "words", flag = "required" }}]

[[module]]
name = "words"
kind = "word"
word = "{USER_PASSWORD}"

[[module]]
name = "words"
realm = "{REALM}"
kind = "word"
word = "another"
server = "localhost"
"""


async def test_settings_name_a_file(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """What the file of the settings declares is in force from the start, in whatever order it
    stands there, and a second start changes nothing."""
    settings = authentication_file(tmp_path, FILE)
    revisions = []
    for _ in range(2):
        async with doors.opened(tmp_path / "state", planted, **settings) as door:
            assert (await door.translate(user_input(), ID_TOKEN)).status == 200
            assert (await door.translate(user_input("wrong"), ID_TOKEN)).status == 401
            assert door.audit()[-1]["reason"] == "DataStore: wrong password; words: another word"
            listed = await admin(door, "GET", "/modules")
            revisions.append(listed.body["result"][0]["_rev"])
            assert (await admin(door, "GET", "/defaults")).body["resultCount"] == 1
    assert revisions[0] == revisions[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[module]]\nname = 'a'\nkind = 'nope'", "module a: kind: choose one of"),
        ("[[module]]\nrealm = 5", "module 2: realm is a string"),
        ("[[user]]\nname = 'x'", "write each module under [[module]]"),
        ("[chain]\nname = 'x'", "write each module under [[module]]"),
        ("[[chain]]\nname = 'c'\nmodules = [{ module = 'x', flag = 'required' }]", "module x"),
        ("[[default]]\nUSERNAME = 'service|x'", "chain x"),
        ("[[default]]\nUSERNAME = 5", "default USERNAME: target"),
        ("[[module]]\nname = 'a'\nkind = 'word'\nword = '(unchanged)'", "the secrets themselves"),
        ("[[module", "authentication.toml: "),
        (
            "[[module]]\nname = 'a'\nkind = 'word'\nserver = 99999999999999999999",
            "as JSON has them",
        ),
    ],
)
async def test_files_that_do_not_do(door: Door, tmp_path: Path, text: str, words: str) -> None:
    """A file with a mistake is refused with a sentence, and nothing of it is kept."""
    path = tmp_path / "authentication.toml"
    path.write_text(f"[[module]]\nname = 'good'\nkind = 'files'\n{text}")
    with pytest.raises((InvalidRequest, Conflict)) as refused:
        await import_file(path, door.broker.components.authentication)
    assert words in refused.value.sentence
    assert (await admin(door, "GET", "/modules")).body["result"] == []
