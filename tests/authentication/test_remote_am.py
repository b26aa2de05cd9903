"""Another AM as the store of credentials and sessions: what it is asked, and what is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web

from broker.authentication import Evidence, MoreNeeded
from broker.chains import Alone
from broker.errors import AuthenticationFailed, InvalidRequest, RealmMismatch, Unavailable
from broker.model import Secret, User
from tests.authentication.am_asking import asking, document, evidence
from tests.authentication.am_server import (
    CODE,
    PASSWORDS,
    PROMPT,
    Am,
    asked,
    refused,
    serving,
)
from tests.support.authentication import module, parts


async def test_a_password(am: Am, tmp_path: Path) -> None:
    """A login goes by the headers of the zero-page login, and leaves no session behind."""
    found = await asking(module(document(am), parts(tmp_path)), evidence())
    assert (found.name, found.foreign, found.methods) == ("alice", "auth://am#alice", ("pwd",))
    assert found.session_id is None
    assert am.calls == [
        "POST /am/json/authenticate",
        "POST /am/json/users/?_action=idFromSession",
        "POST /am/json/sessions/?_action=logout",
    ]
    assert am.sessions == {}
    versions = [head["Accept-API-Version"] for head in am.heads]
    assert versions == [
        "protocol=1.0, resource=2.0",
        "protocol=1.0",
        "protocol=1.0, resource=1.1",
    ]


async def test_the_realm_and_the_chain_there(tmp_path: Path) -> None:
    """The module says which realm, and which service, module or level of it is asked."""
    async with serving("/customers/gold") as am:
        index = {"auth_index_type": "service", "auth_index_value": "two factor"}
        made = module(document(am, remote_realm="customers/gold", **index), parts(tmp_path))
        assert (await asking(made, evidence())).name == "alice"
    assert am.calls[:2] == [
        "POST /am/json/customers/gold/authenticate?authIndexType=service&authIndexValue=two+factor",
        "POST /am/json/customers/gold/users/?_action=idFromSession",
    ]


async def test_attributes_of_the_profile(am: Am, tmp_path: Path) -> None:
    """The profile is read with the session of the login itself, under names of the module."""
    named = {"email": "mail", "cn": "cn", "none": "telephoneNumber"}
    found = await asking(module(document(am, attributes=named), parts(tmp_path)), evidence())
    assert found.attributes == {"email": ("alice@am.example",), "cn": ("Alice",)}
    assert am.calls[2] == "GET /am/json/users/alice?_fields=cn,mail,telephoneNumber"


async def test_other_letters_go_by_callbacks(am: Am, tmp_path: Path) -> None:
    """What no header can carry alike everywhere is sent as answers to callbacks, in UTF-8."""
    found = await asking(module(document(am), parts(tmp_path)), evidence("José"))
    assert found.name == "José"
    assert "X-OpenAM-Username" not in am.heads[0]


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("nobody", "x"), ("José", "wröng")]
)
async def test_a_wrong_password(name: str, password: str, am: Am, tmp_path: Path) -> None:
    """The caller hears no more than that it failed; the audit what the AM said."""
    with pytest.raises(AuthenticationFailed, match=r"^Authentication Failed$") as failed:
        await asking(module(document(am), parts(tmp_path)), evidence(name, password))
    assert failed.value.detail == "it answered 401 (Authentication Failed)"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", ""),
        ("", "x"),
        ("a" * 257, "x"),
        ("alice", "x" * 1025),
        (None, None),
    ],
)
async def test_what_is_not_sent(
    name: str | None, password: str | None, am: Am, tmp_path: Path
) -> None:
    """Empty and overlong names and passwords are refused before the AM is asked."""
    with pytest.raises(AuthenticationFailed):
        await asking(module(document(am), parts(tmp_path)), evidence(name, password))
    assert am.calls == []


async def test_what_is_no_text_is_nobodys_password(am: Am, tmp_path: Path) -> None:
    """Bytes that are no Unicode, as a header may hold them, are refused and not sent."""
    with pytest.raises(AuthenticationFailed):
        await asking(module(document(am), parts(tmp_path)), evidence("alice", "\udce4"))
    assert am.sessions == {}


@pytest.mark.parametrize("text", ["a\r\nX-OpenAM-Password: x", "a\x00", " a", "a\n"])
async def test_nothing_breaks_out_of_a_header(text: str, am: Am, tmp_path: Path) -> None:
    """A name with line breaks becomes no header: it is answered in a body, and is nobody's."""
    with pytest.raises(AuthenticationFailed):
        await asking(module(document(am), parts(tmp_path)), evidence(text, "x"))
    assert all("X-OpenAM-Username" not in head for head in am.heads)


# -- further steps ---------------------------------------------------------------------------------


async def test_a_code_that_came_along(am: Am, tmp_path: Path) -> None:
    """A code in the request answers the one question that is left."""
    given = evidence("carol", otp=Secret(CODE))
    found = await asking(module(document(am), parts(tmp_path)), given)
    assert (found.name, found.methods) == ("carol", ("pwd", "otp"))


async def test_a_step_is_asked_back(am: Am, tmp_path: Path) -> None:
    """Without a code the caller is asked in the AM's words, and the login goes on from there."""
    made = module(document(am), parts(tmp_path))
    target = Alone(made)
    with pytest.raises(MoreNeeded) as more:
        await target.authenticate(evidence("carol"))
    (prompt,) = more.value.prompts
    assert (prompt.id, prompt.text, prompt.secret) == ("IDToken1", PROMPT, True)
    assert PASSWORDS["carol"] not in str(more.value.state)
    answers = Evidence(realm="/", now=0.0, answers={"IDToken1": Secret(CODE)})
    found, _ = await target.authenticate(answers, more.value.progress)
    assert found.name == "carol"
    await made.close()
    assert am.sessions == {}


@pytest.mark.parametrize("answers", [{"IDToken1": Secret("0")}, {}, {"other": Secret(CODE)}])
async def test_a_step_answered_wrongly(answers: dict[str, Secret], am: Am, tmp_path: Path) -> None:
    """A wrong answer, or none, ends the login."""
    made = module(document(am), parts(tmp_path))
    with pytest.raises(MoreNeeded) as more:
        await Alone(made).authenticate(evidence("carol"))
    given = Evidence(realm="/", now=0.0, answers=answers)
    with pytest.raises(AuthenticationFailed) as failed:
        await Alone(made).authenticate(given, more.value.progress)
    assert not isinstance(failed.value, MoreNeeded)
    await made.close()


async def test_steps_come_to_an_end(am: Am, tmp_path: Path) -> None:
    """An AM that asks nothing, for ever, ends as a login that failed."""

    async def says(_: web.Request) -> web.Response:
        return asked("again", {"type": "TextOutputCallback", "output": []})

    am.instead["/authenticate"] = says
    with pytest.raises(AuthenticationFailed) as failed:
        await asking(module(document(am), parts(tmp_path)), evidence())
    assert failed.value.detail == "more than 16 steps"


async def test_what_cannot_be_relayed(am: Am, tmp_path: Path) -> None:
    """A kind of question that a caller of ours cannot answer fails the login, and says which."""

    async def says(_: web.Request) -> web.Response:
        return asked("x", {"type": "RedirectCallback", "output": [], "input": []})

    am.instead["/authenticate"] = says
    with pytest.raises(AuthenticationFailed) as failed:
        await asking(module(document(am), parts(tmp_path)), evidence())
    assert "RedirectCallback" in str(failed.value.detail)


# -- tokens and sessions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        (
            {"id_token": Secret("an-id-token")},
            "oidc_id_token_auth_target_header_key",
            "an-id-token",
        ),
        (
            {"certificate": b"certificate"},
            "x509_token_auth_target_header_key",
            "Y2VydGlmaWNhdGU=",
        ),
    ],
)
async def test_tokens_go_by_the_header_of_the_target(
    given: dict[str, Any], key: str, value: str, am: Am, tmp_path: Path
) -> None:
    """An ID token or a certificate is in the header that the mapping context names."""
    made = module(document(am), parts(tmp_path))
    found = await asking(made, evidence(None, context={key: "X-Given"}, **given))
    assert (found.name, found.methods) == ("alice", ())
    assert am.heads[0]["X-Given"] == value


@pytest.mark.parametrize("name", ["", "Cookie", "content-length", "X Given", "X-Given\r\nA: b"])
async def test_a_target_without_a_header(name: str, am: Am, tmp_path: Path) -> None:
    """A context that names no header, or one with a meaning of its own, is told as what it is."""
    context = {"oidc_id_token_auth_target_header_key": name}
    given = evidence(None, context=context, id_token=Secret("an-id-token"))
    with pytest.raises(InvalidRequest, match="oidc_id_token_auth_target_header_key"):
        await asking(module(document(am), parts(tmp_path)), given)
    assert am.calls == []


async def test_a_session(am: Am, tmp_path: Path) -> None:
    """A session of the AM is asked for its principal and is not ended."""
    am.sessions["AQIC5.*AAJ*"] = "alice"
    made = module(document(am, attributes=["mail"]), parts(tmp_path))
    found = await asking(made, evidence(None, session_id=Secret("AQIC5.*AAJ*")))
    assert (found.name, found.foreign) == ("alice", "auth://am#alice")
    assert found.attributes == {"mail": ("alice@am.example",)}
    assert found.session_id == Secret("AQIC5.*AAJ*")
    assert list(am.sessions) == ["AQIC5.*AAJ*"]


async def test_an_odd_name_leads_nowhere_else(am: Am, tmp_path: Path) -> None:
    """A name with signs that mean something in a path is one step of the path, to the letter."""
    am.sessions["s"] = "../o'neil?x=/&y#%41"
    made = module(document(am, attributes=["mail"]), parts(tmp_path))
    found = await asking(made, evidence(None, session_id=Secret("s")))
    assert found.name == "../o'neil?x=/&y#%41"
    step = am.calls[-1].removeprefix("GET /am/json/users/").removesuffix("?_fields=mail")
    assert "/" not in step
    assert unquote(step) == found.name


@pytest.mark.parametrize("session", ["unknown", "a;b=c", "a b", "a\r\nb", "ä", "x" * 4097, ""])
async def test_what_is_no_session(session: str, am: Am, tmp_path: Path) -> None:
    """An unknown session fails; what would become another header is not even sent."""
    made = module(document(am), parts(tmp_path))
    with pytest.raises(AuthenticationFailed):
        await asking(made, evidence(None, session_id=Secret(session)))
    assert len(am.calls) == (1 if session == "unknown" else 0)


async def test_a_session_of_another_realm(tmp_path: Path) -> None:
    """A session that stands in another realm of the AM is nobody's here."""
    async with serving("/others") as am:
        am.sessions["s"] = "alice"
        made = module(document(am, remote_realm="/customers"), parts(tmp_path))
        with pytest.raises(RealmMismatch):
            await asking(made, evidence(None, session_id=Secret("s")))


async def test_a_session_that_is_kept(am: Am, tmp_path: Path) -> None:
    """With end_session = false the session of the login stays and is handed on."""
    found = await asking(module(document(am, end_session=False), parts(tmp_path)), evidence())
    assert found.session_id is not None
    assert am.sessions == {found.session_id.reveal(): "alice"}


@pytest.mark.parametrize("end_session", [True, False])
async def test_no_session_is_left_where_the_login_fails(
    end_session: bool, am: Am, tmp_path: Path
) -> None:
    """A login that fails after the AM has opened a session ends that session."""

    async def says(_: web.Request) -> web.Response:
        return refused(500, "no directory")

    am.instead["idFromSession"] = says
    with pytest.raises(Unavailable):
        await asking(module(document(am, end_session=end_session), parts(tmp_path)), evidence())
    assert am.opened == 1
    assert am.sessions == {}


async def test_a_logout_that_fails_changes_nothing(am: Am, tmp_path: Path) -> None:
    """A session that cannot be ended is logged, and the login stands."""

    async def says(_: web.Request) -> web.Response:
        return refused(500)

    am.instead["logout"] = says
    found = await asking(module(document(am), parts(tmp_path)), evidence())
    assert found.name == "alice"


async def test_linked_names_are_local_users(am: Am, tmp_path: Path) -> None:
    """With link_local_users the name is the local user's, who must be there and active."""
    given = parts(tmp_path)
    await given.users.put(User("alice", "/", None, {"mail": ("alice@here.example",)}))
    made = module(document(am, link_local_users=True), given)
    found = await asking(made, evidence())
    assert (found.name, found.foreign) == ("alice", None)
    assert found.attributes["mail"] == ("alice@here.example",)
    with pytest.raises(AuthenticationFailed):
        await asking(module(document(am, link_local_users=True), given), evidence("José"))
