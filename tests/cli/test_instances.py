"""``remint instances``, on the state folder and from afar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.instances import forgerock
from tests.cli.conftest import Remint, Site
from tests.support.door import an_instance
from tests.support.planted import CLIENT_SECRET

TOML = """
url_element = "{name}"
persist_issued_tokens = true
transforms = ["USERNAME -> OPENIDCONNECT"]

[oidc]
issuer = "https://sts.example.com"
audience = ["{audience}"]
signing_key = "HS256"
client_secret = "{secret}"
"""


def _toml(tmp_path: Path, name: str, audience: str = "orders") -> str:
    file = tmp_path / f"{name}.toml"
    file.write_text(TOML.format(name=name, audience=audience, secret=CLIENT_SECRET))
    return str(file)


def _get(site: Site, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.ok("instances", "get", name))
    return found


def test_life_of_an_instance(site: Site, tmp_path: Path) -> None:
    """An instance is published from TOML, listed, read, brought up to date, and deleted."""
    published = site.ok("instances", "publish", _toml(tmp_path, "life"))
    assert published == "published life\n"
    assert "life" in site.ok("instances", "list").splitlines()
    assert _get(site, "life")["oidc-id-token-config"]["oidc-audience"] == ["orders"]
    assert _get(site, "/life") == _get(site, "life")

    site.ok("instances", "publish", _toml(tmp_path, "life", "sales"))
    assert _get(site, "life")["oidc-id-token-config"]["oidc-audience"] == ["sales"]

    said = site.ok("instances", "delete", "life")
    assert said == "rest sts instance life successfully removed from realm /\n"
    assert "life" not in site.ok("instances", "list").splitlines()


def test_secrets_are_hidden(site: Site, tmp_path: Path) -> None:
    """A client secret is never shown, and publishing what was shown keeps it."""
    site.ok("instances", "publish", _toml(tmp_path, "hidden"))
    shown = _get(site, "hidden")
    assert shown["oidc-id-token-config"]["oidc-client-secret"] == "(unchanged)"
    file = tmp_path / "shown.json"
    file.write_text(json.dumps(shown))
    site.ok("instances", "publish", str(file))
    assert _get(site, "hidden") == shown


def test_json(site: Site, tmp_path: Path) -> None:
    """JSON is read as a publish body and as the instance_state alone."""
    for name, wrapped in (("bare", False), ("wrapped", True)):
        state = forgerock.encode(an_instance(name))
        context = {"invocation_context": "invocation_context_client_sdk", "instance_state": state}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(context if wrapped else state))
        assert site.ok("instances", "publish", str(file)) == f"published {name}\n"
        assert _get(site, name)["deployment-config"]["deployment-url-element"] == name


def test_unknown(site: Site) -> None:
    """An instance that is not there is a 404 in words; exit code 1."""
    for command in ("get", "delete"):
        done = site.run("instances", command, "nowhere")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("remint: 404 Not Found: ")


def test_rules(site: Site, tmp_path: Path) -> None:
    """An instance that breaks rules is not published; every rule is named."""
    state = forgerock.encode(an_instance("broken"))
    state["oidc-id-token-config"].update({"oidc-issuer": "", "oidc-audience": []})
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(state))
    done = site.run("instances", "publish", str(file))
    assert (done.code, done.out) == (1, "")
    assert "oidc-issuer" in done.err
    assert "oidc-audience" in done.err
    assert "broken" not in site.ok("instances", "list").splitlines()


def test_unreadable_files(remint: Remint, tmp_path: Path) -> None:
    """A file that is missing, no JSON, no object or no TOML is named in a sentence."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "torn.json").write_text("{")
    (tmp_path / "torn.toml").write_text("url_element =")
    for name in ("nowhere.json", "list.json", "torn.json", "nowhere.toml", "torn.toml"):
        done = remint("instances", "publish", str(tmp_path / name))
        assert done.code in (1, 2)
        assert done.out == ""
        assert name in done.err.replace("\n", "").replace("│", "").replace(" ", "")
        assert "Traceback" not in done.err


def test_misspelt_keys(remint: Remint, tmp_path: Path) -> None:
    """A key that a TOML instance does not have is a problem, under its section's name."""
    file = tmp_path / "typo.toml"
    file.write_text(
        'url_element = "typo"\ntransforms = ["USERNAME -> SAML2"]\npersist_issued_token = true\n'
        '[saml2]\nissuer = 3\naudience = "a"\nlifetime_second = 1\n'
    )
    done = remint("instances", "publish", str(file))
    assert done.code == 1
    for key in ("persist_issued_token", "saml2.issuer", "saml2.lifetime_second"):
        assert f"{key}: " in done.err
