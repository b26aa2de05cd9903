"""``remint migrate compare``: the same request to AM and to this broker, claim by claim."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.migration.conftest import Done, Remint
from tests.migration.stub_am import StubAm, stub_am
from tests.support.caller import Caller, set_up
from tests.support.door import ELEMENT, ID_TOKEN, user_input
from tests.support.planted import MARK, Planted
from tests.support.process import BrokerProcess, running

ASSERTION = {"token_type": "SAML2", "subject_confirmation": "BEARER"}
BOTH = [{"input_token_state": user_input(), "output_token_state": wanted}
        for wanted in (ID_TOKEN, ASSERTION)]  # fmt: skip
CERTIFICATE = "Assertion/ds:Signature/ds:KeyInfo/ds:X509Data/ds:X509Certificate/text()"

Change = Callable[[str, Any], Any]


@pytest.fixture(scope="module")
def here(broker: BrokerProcess) -> BrokerProcess:
    """The broker that takes over."""
    set_up(broker.url, Planted())
    return broker


@pytest.fixture
def compare(remint: Remint, here: BrokerProcess, tmp_path: Path) -> Callable[..., Done]:
    """Compares an AM with the broker, on requests."""

    def run(am: str, *options: str, requests: Any = BOTH) -> Done:
        file = tmp_path / "requests.json"
        file.write_text(json.dumps(requests))
        return remint("migrate", "compare", "--am", am, "--remint", here.url, "--instance",
                      ELEMENT, "--requests", str(file), *options)  # fmt: skip

    return run


@pytest.fixture
def am(here: BrokerProcess) -> Iterator[Callable[[Change], StubAm]]:
    """An AM that answers as the broker does, but for what the test changes."""
    with contextlib.ExitStack() as stack:

        def start(change: Change) -> StubAm:
            def answering(action: str, body: Any) -> tuple[int, Any]:
                with Caller(here.url, Planted()) as caller:
                    path = f"/rest-sts/{ELEMENT}?_action={action}"
                    answer = caller.request("POST", path, body)
                changed: tuple[int, Any] = change(action, (answer.status, answer.body))
                return changed

            return stack.enter_context(stub_am(answering))

        yield start


def _unchanged(_action: str, answer: Any) -> Any:
    return answer


def _found(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["action"], each["fact"]): each for each in json.loads(done.out)}


def _with_claims(token: str, **claims: Any) -> str:
    head, body, signature = token.split(".")
    found = json.loads(base64.urlsafe_b64decode(body + "=="))
    data = json.dumps({**found, **claims}).encode()
    return f"{head}.{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}.{signature}"


def _with_header(token: str, **members: Any) -> str:
    head, rest = token.split(".", 1)
    found = json.loads(base64.urlsafe_b64decode(head + "=="))
    data = json.dumps({**found, **members}).encode()
    return f"{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}.{rest}"


def test_the_same(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """Two servers that answer alike are the same, whatever ids, times and signatures they made."""
    stub = am(_unchanged)
    done = compare(stub.url, "--validate", "--cancel")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "1 USERNAME -> OPENIDCONNECT: the same",
        "2 USERNAME -> SAML2: the same",
    ]
    actions = [action for _, action, _ in stub.asked]
    assert actions == ["translate", "validate", "cancel", "validate"] * 2
    assert {path for path, _, _ in stub.asked} == {f"/openam/rest-sts/{ELEMENT}"}


def test_another_broker(compare: Callable[..., Done], tmp_path: Path) -> None:
    """Of two brokers with the same instance, only the key differs: it matters to a SAML partner."""
    folder = tmp_path / "other"
    folder.mkdir()
    with running(folder, "serve") as other:
        set_up(other.url, Planted())
        done = compare(other.url, "--json")
        assert done.code == 1
        found = _found(done)
        assert {fact for _, fact in found} == {"header.kid", CERTIFICATE}
        assert not found["translate", "header.kid"]["matters"]
        assert found["translate", CERTIFICATE]["matters"]
        assert compare(other.url, "--ignore", CERTIFICATE).code == 0


def test_claims_that_differ(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """A claim with another value, one that is missing and another lifetime are told, and matter."""

    def change(action: str, answer: Any) -> Any:
        status, body = answer
        if action == "translate":
            token = body["issued_token"]
            body = {"issued_token": _with_claims(token, email="other@example.com", ip="127.0.0.1",
                                                 exp=2_000_000_000)}  # fmt: skip
        return status, body

    done = compare(am(change).url, "--json", requests=BOTH[:1])
    assert done.code == 1
    found = _found(done)
    assert {fact for _, fact in found} == {"email", "ip", "exp"}
    assert all(each["matters"] for each in found.values())
    email, ip = found["translate", "email"], found["translate", "ip"]
    assert (email["am"], email["remint"]) == ("other@example.com", "demo@example.com")
    assert (ip["am"], ip["remint"]) == ("127.0.0.1", "(absent)")
    lines = compare(am(change).url, requests=BOTH[:1]).out
    assert "  differs   translate email: other@example.com -> demo@example.com\n" in lines


def test_a_key_in_the_header(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """The same RSA key is the same as AM writes it, with a sign byte and members of its own; with
    another number it is another key, and matters."""
    number = bytes([0x80 | 65]) + b"n" * 255

    def change(modulus: bytes, **more: Any) -> Change:
        def changed(action: str, answer: Any) -> Any:
            status, body = answer
            if action != "translate":
                return status, body
            n = base64.urlsafe_b64encode(modulus).rstrip(b"=").decode()
            jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "n": n, "e": "AQAB", **more}
            return status, {"issued_token": _with_header(body["issued_token"], jwk=jwk)}

        return changed

    there = am(change(number)).url
    beans = am(change(b"\0" + number, otherFactors=None)).url
    other = am(change(number[:-1] + b"m")).url
    both = [_found(compare(url, "--json", requests=BOTH[:1])) for url in (there, beans, other)]
    said = [found["translate", "header.jwk"]["am"] for found in both]
    assert said[0] == said[1] != said[2]


def test_elements_that_differ(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """An element of an assertion is told by its path, a subject's attribute by its name."""

    def change(action: str, answer: Any) -> Any:
        status, body = answer
        if action == "translate":
            token = body["issued_token"].replace(">demo<", ">DEMO<")
            body = {"issued_token": token.replace("demo@example.com", "other@example.com")}
        return status, body

    found = _found(compare(am(change).url, "--json", requests=BOTH[1:]))
    assert {fact for _, fact in found} == {
        "Assertion/Subject/NameID/text()",
        "Assertion/AttributeStatement/Attribute[mail]/AttributeValue/text()",
    }


def test_errors(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """Two refusals differ in status and reason alone: their wording is expected to."""
    wrong = [{"input_token_state": {**user_input(), "password": f"wrong-{MARK}"},
              "output_token_state": ASSERTION}]  # fmt: skip

    def reworded(_action: str, answer: Any) -> Any:
        return answer[0], {**answer[1], "message": "Login failed"}

    done = compare(am(reworded).url, "--json", requests=wrong)
    assert done.code == 0
    assert [each["matters"] for each in json.loads(done.out)] == [False]

    def served(_action: str, answer: Any) -> Any:
        return 500, {"code": 500, "reason": "Internal Server Error", "message": "?"}

    done = compare(am(served).url, "--json", requests=wrong)
    assert done.code == 1
    (status,) = json.loads(done.out)
    assert (status["fact"], status["am"], status["remint"]) == ("(status)", "500", "401")


@pytest.mark.parametrize(
    "answer",
    [
        {"issued_token": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'},
        {"issued_token": "<Assertion"},
        {"issued_token": "a.b.c"},
        {"issued_token": 5},
        {},
        [],
    ],
    ids=["entities", "torn", "no-json", "number", "nothing", "list"],
)
def test_answers_of_any_kind(
    compare: Callable[..., Done], am: Callable[[Change], StubAm], answer: Any
) -> None:
    """Whatever AM answers is a difference, and never the end of the command."""
    done = compare(am(lambda _action, _answer: (200, answer)).url, requests=BOTH[1:])
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("1 USERNAME -> SAML2:\n  differs ")


def test_escapes_in_an_answer(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """What AM answers, and what requests are called, is printed with nothing to obey in it."""
    nasty = "x\x1b[2J\ny"
    answer = (200, {nasty: nasty})
    named = [{"name": nasty, "body": BOTH[1]}]
    done = compare(am(lambda _action, _answer: answer).url, requests=named)
    assert done.code == 1
    assert done.out.startswith("1 x?[2J?y:\n")
    assert all(line.isprintable() for line in done.out.split("\n"))


def test_follow_ups(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """A token that is valid at one and not at the other is told under validate."""

    def forgetful(action: str, answer: Any) -> Any:
        return (200, {"token_valid": False}) if action == "validate" else answer

    done = compare(am(forgetful).url, "--validate", "--json", requests=BOTH[:1])
    assert done.code == 1
    assert _found(done).keys() == {("validate", "token_valid")}


def test_what_each_needs(compare: Callable[..., Done], am: Callable[[Change], StubAm]) -> None:
    """am_body goes to AM in place of body, and a name of one's own stands in the output."""
    other = {**BOTH[0], "_for": "am"}
    stub = am(_unchanged)
    done = compare(stub.url, requests=[{"name": "mine", "body": BOTH[0], "am_body": other}])
    assert done.out == "1 mine: the same\n"
    assert stub.asked[0][2] == other


@pytest.mark.parametrize(
    ("am_url", "requests", "said"),
    [
        ("http://am.example.com/openam", BOTH, "use https"),
        ("am.example.com", BOTH, "is no URL"),
        ("http://127.0.0.1:1", BOTH, "cannot reach"),
        ("http://127.0.0.1:1", [], "write a list of requests"),
        ("http://127.0.0.1:1", [1], "request 1: write an object"),
        ("http://127.0.0.1:1", [{"body": 1}], "request 1: body"),
        ("http://127.0.0.1:1", [{"body": {}, "headers": {"a": 1}}], "request 1: headers"),
    ],
)
def test_what_cannot_be_compared(
    compare: Callable[..., Done], am_url: str, requests: Any, said: str
) -> None:
    """A server that may not or cannot be asked, and requests that are none, are a sentence."""
    done = compare(am_url, requests=requests)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
