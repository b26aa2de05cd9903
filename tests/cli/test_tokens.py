"""``remint translate`` and ``remint tokens``, on the state folder and from afar."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from adapters.instances import forgerock
from tests.cli.conftest import Remint, Site
from tests.support.door import an_instance, pair
from tests.support.planted import MARK, USER_PASSWORD


def _publish(site: Site, tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(forgerock.encode(an_instance(name, oidc="ES256"))))
    site.ok("instances", "publish", str(file))


def _claims(id_token: str) -> dict[str, object]:
    part = id_token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return claims


def test_translate(site: Site, tmp_path: Path) -> None:
    """Each of the four transforms prints the issued token and nothing else."""
    _publish(site, tmp_path, "four")
    site.ok("users", "add", "dora", "-a", "mail=d@example.com", given=USER_PASSWORD)
    session = site.login("dora", USER_PASSWORD)
    for given, secret in (
        (("USERNAME", "--username", "dora"), USER_PASSWORD),
        (("OPENAM",), session),
    ):
        command = ("translate", "--instance", "four", "--from", *given)
        token = site.ok(*command, "--to", "OPENIDCONNECT", "--nonce", "n-7", given=secret + "\n")
        claims = _claims(token)
        assert (claims["sub"], claims["nonce"]) == ("dora", "n-7")
        assert claims["email"] == "d@example.com"
        assertion = site.ok(*command, "--to", "SAML2", given=secret + "\n")
        assert assertion.startswith("<saml:Assertion ")
        assert assertion.endswith("</saml:Assertion>\n")
        assert ">dora</saml:NameID>" in assertion


def test_translate_refused(site: Site, tmp_path: Path) -> None:
    """A wrong password is a sentence and exit code 1, and the password is not in it."""
    _publish(site, tmp_path, "refused")
    command = ("translate", "--instance", "refused", "--from", "USERNAME", "--to", "SAML2")
    done = site.run(*command, "--username", "nobody", given=f"wrong-{MARK}\n")
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: 401 Unauthorized: Authentication Failed\n"


def test_other_token_types(site: Site, tmp_path: Path) -> None:
    """A type of one's own is given as the JSON of its state, and what is none is refused."""
    instance = an_instance(
        "own", transforms=(pair("USERNAME", "OPAQUE"), pair("OPAQUE", "OPENIDCONNECT"))
    )
    file = tmp_path / "own.json"
    file.write_text(json.dumps(forgerock.encode(instance)))
    site.ok("instances", "publish", str(file))
    site.ok("users", "add", "otto", given=USER_PASSWORD)
    command = ("translate", "--instance", "own")
    to_opaque = (*command, "--from", "USERNAME", "--to", "OPAQUE", "--username", "otto")
    token = site.ok(*to_opaque, given=USER_PASSWORD).strip()
    from_opaque = (*command, "--from", "OPAQUE", "--to", "OPENIDCONNECT")
    state = json.dumps({"opaque_token": token})
    assert _claims(site.ok(*from_opaque, given=state))["sub"] == "otto"
    for broken in (token, "[]"):
        done = site.run(*from_opaque, given=broken)
        assert done.code == 2
        assert "JSON object" in done.err
        assert token not in done.err


def test_life_of_a_token(site: Site, tmp_path: Path) -> None:
    """An issued token is listed, valid, and after its cancel neither."""
    _publish(site, tmp_path, "tokens")
    site.ok("users", "add", "tess", given=USER_PASSWORD)
    translate = ("translate", "--instance", "tokens", "--from", "USERNAME", "--username", "tess")
    for wanted in ("OPENIDCONNECT", "SAML2"):
        token = site.ok(*translate, "--to", wanted, given=USER_PASSWORD)
        validate = ("tokens", "validate", "--instance", "tokens", "--type", wanted)
        assert site.ok(*validate, given=token) == "valid\n"

        listed = site.ok("tokens", "list", "--instance", "tokens")
        (record,) = [json.loads(line) for line in listed.splitlines()]
        assert (record["principal_name"], record["token_type"]) == ("tess", wanted)
        assert token.strip() not in listed
        assert site.ok("tokens", "list", "--principal", "tess") == listed
        both = ("tokens", "list", "--instance", "tokens", "--principal", "tess")
        assert site.ok(*both) == listed

        said = site.ok("tokens", "cancel", record["_id"])
        assert said == f"token with id {record['_id']} successfully removed.\n"
        assert site.ok("tokens", "list", "--instance", "tokens") == ""
        done = site.run(*validate, given=token)
        assert (done.code, done.out) == (1, "not valid\n")


def test_a_long_list(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is longer than a page is printed whole, each token once."""
    monkeypatch.setattr("adapters.cli.tokens.PAGE_SIZE", 2)
    _publish(site, tmp_path, "long")
    site.ok("users", "add", "lena", given=USER_PASSWORD)
    wanted = ("--from", "USERNAME", "--to", "OPENIDCONNECT", "--username", "lena")
    for _ in range(5):
        site.ok("translate", "--instance", "long", *wanted, given=USER_PASSWORD)
    listed = site.ok("tokens", "list", "--instance", "long").splitlines()
    assert len({json.loads(line)["_id"] for line in listed}) == len(listed) == 5


def test_bulk_cancel(site: Site, tmp_path: Path) -> None:
    """All tokens of an instance, a principal, a key, or of several at once; the number is told."""
    for name in ("bulk", "bulk-2"):
        _publish(site, tmp_path, name)
    for name in ("bert", "berta"):
        site.ok("users", "add", name, given=USER_PASSWORD)

    def issue() -> None:
        for instance in ("bulk", "bulk-2"):
            for name in ("bert", "berta"):
                wanted = ("--from", "USERNAME", "--to", "OPENIDCONNECT", "--username", name)
                site.ok("translate", "--instance", instance, *wanted, given=USER_PASSWORD)

    issue()
    cancel = ("tokens", "cancel")
    assert site.ok(*cancel, "--principal", "bert", "--instance", "bulk") == "1\n"
    assert site.ok(*cancel, "--principal", "bert") == "1\n"
    assert site.ok(*cancel, "--instance", "bulk") == "1\n"
    assert site.ok(*cancel, "--instance", "bulk") == "0\n"
    assert len(site.ok("tokens", "list", "--principal", "berta").splitlines()) == 1
    issue()
    keys = [line.split() for line in site.ok("keys", "list").splitlines()]
    active = [words for words in keys if {"ES256", "active"} <= set(words)]
    (kid,) = [next(word for word in words if len(word) == 43) for words in active]
    assert int(site.ok(*cancel, "--key", kid)) >= 5
    assert site.ok("tokens", "list", "--instance", "bulk-2") == ""


@pytest.mark.parametrize("arguments", [(), ("x", "--principal", "demo"), ("x", "--key", "")])
def test_cancel_takes_one_id_or_names(remint: Remint, arguments: tuple[str, ...]) -> None:
    """Nothing at all, and an id together with names, is refused before anything ends."""
    done = remint("tokens", "cancel", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "--principal" in done.err


def test_empty_names_select_nothing(site: Site) -> None:
    """An empty name, as an unset variable leaves it, is refused and never means everything."""
    done = site.run("tokens", "cancel", "--principal", "")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("remint: 400 ")


def test_names_are_quoted(site: Site, tmp_path: Path) -> None:
    """A principal is found by its name whatever letters and quotes are in it, and nobody else."""
    _publish(site, tmp_path, "quoted")
    names = ("Zoë", 'o"h\\ara', '" or /sts_id eq "quoted')
    translate = ("translate", "--instance", "quoted", "--from", "USERNAME", "--to", "SAML2")
    for name in names[:2]:
        site.ok("users", "add", name, given=USER_PASSWORD)
        site.ok(*translate, "--username", name, given=USER_PASSWORD)
    found = [site.ok("tokens", "list", "--principal", name).splitlines() for name in names]
    principals = [[json.loads(line)["principal_name"] for line in lines] for lines in found]
    assert principals == [["Zoë"], ['o"h\\ara'], []]


def test_list_needs_a_name(remint: Remint) -> None:
    """A list of all tokens of all instances is not offered; exit code 2."""
    done = remint("tokens", "list")
    assert done.code == 2
    assert "--principal" in done.err


def test_cancelling_what_is_not_there(site: Site) -> None:
    """A slip in the id is told: the wire itself would say that anything was removed."""
    done = site.run("tokens", "cancel", "nope")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("remint: 404 ")
