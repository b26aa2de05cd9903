"""``remint instances import``: an export becomes an instance, and each key gets its word."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.migration.conftest import EXAMPLES, Remint, Secrets
from tests.migration.forms import FORMS, sections, structured
from tests.support import key_store_files as files
from tests.support.planted import USER_PASSWORD
from tests.support.process import BrokerProcess

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
ORDERS = str(EXAMPLES / "amster" / "orders.json")
PARCELS = str(EXAMPLES / "file-based" / "parcels.json")
SAML2_SECRETS = ("saml2-keystore-password", "saml2-signature-key-password")
AM_ROOT = "/root"
"""How AM writes the root realm; realms may be called something that begins like it."""

LEGACY = "REMINT_SECURITY__ALLOW_LEGACY_OUTPUT"


def _keys(out: str) -> dict[str, dict[str, str]]:
    """The rows of the only instance, by key."""
    (instance,) = json.loads(out)
    return {row["key"]: row for row in instance["keys"]}


def _members(value: Any) -> set[str]:
    """The keys that a person sees in an export."""
    data = json.loads(Path(value).read_text())["data"]
    return {key for name, section in data.items() if name.startswith("restSts") for key in section}


def _issued(remint: Remint, instance: str, wanted: str) -> str:
    who = ("--from", "USERNAME", "--username", "carol", "--to", wanted)
    done = remint("translate", "--instance", instance, *who, given=USER_PASSWORD)
    assert (done.code, done.err) == (0, "")
    return done.out.strip()


def _carol(remint: Remint) -> None:
    added = remint("users", "add", "carol", "-a", "mail=carol@example.com", given=USER_PASSWORD)
    assert added.code == 0


def test_from_export_to_token(remint: Remint, key_stores: Path, secrets: Secrets) -> None:
    """An instance that AM exported signs with AM's key, and names subjects as AM did."""
    given = secrets("orders", *SAML2_SECRETS, "oidc-client-secret")
    done = remint("instances", "import", ORDERS, *given, "--set",
                  f"orders.saml2-signature-key-alias={files.RSA_ALIAS}")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("-> published\n")
    _carol(remint)

    assertion = etree.fromstring(_issued(remint, "orders", "SAML2").encode())
    (name_id,) = assertion.iter(f"{SAML}NameID")
    assert (name_id.text, name_id.get("Format", "").rpartition(":")[2]) == ("carol", "persistent")
    (shown,) = assertion.iter(f"{DS}X509Certificate")
    pem = (files.folder() / "own.crt").read_text()
    assert base64.b64decode(shown.text or "") == base64.b64decode("".join(pem.split("\n")[1:-2]))
    assert _issued(remint, "orders", "OPENIDCONNECT").count(".") == 2

    again = remint("instances", "import", ORDERS, *given, "--set",
                   f"orders.saml2-signature-key-alias={files.RSA_ALIAS}")  # fmt: skip
    assert again.out.endswith("-> updated\n")


@pytest.mark.parametrize("file", [ORDERS, PARCELS], ids=["amster", "file-based"])
def test_every_key_has_its_word(remint: Remint, file: str) -> None:
    """What was done is told of every key of an export, and why of all that are not kept."""
    rows = _keys(remint("instances", "import", file, "--dry-run", "--json").out)
    assert _members(file) <= rows.keys()
    assert all(row["says"] for row in rows.values() if row["done"] != "kept")


def test_what_only_am_knows(remint: Remint) -> None:
    """Encrypted secrets and placeholders refuse an instance, with the option that gives each."""
    done = remint("instances", "import", ORDERS, PARCELS, "--dry-run", "--json")
    assert done.code == 1
    orders, parcels = json.loads(done.out)
    assert (orders["result"], parcels["result"]) == ("refused", "refused")
    refused = {row["key"]: row["says"] for row in orders["keys"] if row["done"] == "refused"}
    assert refused.keys() == {*SAML2_SECRETS, "oidc-client-secret"}
    for key, says in refused.items():
        assert f"--secret orders.{key}=FILE" in says
    refused = {row["key"]: row["says"] for row in parcels["keys"] if row["done"] == "refused"}
    assert "--set sales/parcels.oidc-issuer=VALUE" in refused["oidc-issuer"]
    assert "&{sts.lifetime|600}" in refused["oidc-token-lifetime-seconds"]
    assert "--secret" in refused["oidc-keystore-password"]


def test_nothing_is_published_dry(remint: Remint) -> None:
    """A dry run says what would be done and leaves the broker as it is."""
    lines = str(EXAMPLES / "attributes.properties")
    done = remint("instances", "import", lines, "--dry-run")
    assert done.out.endswith("-> would be published\n")
    assert "receipts" not in remint("instances", "list").out


def test_a_folder_with_one_bad_instance(remint: Remint) -> None:
    """Those of a folder that can be published are, and exit code 1 tells that one was not."""
    done = remint("instances", "import", str(EXAMPLES), "--realm-keys")
    assert done.code == 1
    assert "receipts" in remint("instances", "list").out.splitlines()
    assert "invoices" in remint("instances", "list").out.splitlines()
    assert "orders" not in remint("instances", "list").out.splitlines()


def test_every_form_says_the_same(remint: Remint, tmp_path: Path) -> None:
    """One instance in all forms that an export has is published as the same instance."""
    published = []
    for name, form in FORMS.items():
        file = tmp_path / f"{name}.{'txt' if isinstance(form, str) else 'json'}"
        file.write_text(form if isinstance(form, str) else json.dumps(form))
        done = remint("instances", "import", str(file))
        assert (done.code, done.err) == (0, ""), done.out
        published.append(json.loads(remint("instances", "get", "same").out))
    assert published[0]["deployment-config"]["deployment-auth-target-mappings"]["USERNAME"]
    assert all(each == published[0] for each in published)


def test_weak_output_is_refused_by_name(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, key_stores: Path, secrets: Secrets
) -> None:
    """SHA-1 is kept where it is asked for and settings name it, else refused in those words."""
    asked = ["instances", "import", ORDERS, *secrets("orders", *SAML2_SECRETS,
             "oidc-client-secret"), "--set", f"orders.saml2-signature-key-alias={files.RSA_ALIAS}",
             "--signature-algorithm", "rsa-sha1"]  # fmt: skip
    for dry in (["--dry-run"], []):
        done = remint(*asked, *dry)
        assert done.code == 1
        assert "security.allow_legacy_output names sha1" in done.out
    monkeypatch.setenv(LEGACY, '["cbc", "sha1"]')
    done = remint(*asked)
    assert done.code == 0
    assert "weak" in done.out
    _carol(remint)
    assertion = etree.fromstring(_issued(remint, "orders", "SAML2").encode())
    (method,) = assertion.iter(f"{DS}SignatureMethod")
    assert method.get("Algorithm") == "http://www.w3.org/2000/09/xmldsig#rsa-sha1"


def test_encryption_keeps_its_wire(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, key_stores: Path, secrets: Secrets,
    tmp_path: Path,
) -> None:  # fmt: skip
    """RSA 1.5, which no export names, is written down: refused by name, kept where allowed."""
    document = json.loads(Path(ORDERS).read_text())
    document["data"]["restStsSaml2"] |= {
        "saml2-encrypt-assertion": True,
        "saml2-encryption-key-alias": files.RSA_ALIAS,
        "saml2-encryption-algorithm-strength": 256,
        "saml2-signature-key-alias": files.RSA_ALIAS,
    }
    file = tmp_path / "encrypting.json"
    file.write_text(json.dumps(document))
    asked = ["instances", "import", str(file), "--json",
             *secrets("orders", *SAML2_SECRETS, "oidc-client-secret")]  # fmt: skip
    done = remint(*asked)
    assert done.code == 1
    assert "rsa-1_5" in json.loads(done.out)[0]["result"]
    monkeypatch.setenv(LEGACY, '["cbc", "rsa-1_5"]')
    done = remint(*asked)
    assert done.code == 0
    rows = _keys(done.out)
    assert rows["saml2-key-transport-algorithm"]["done"] == "weak"
    assert rows["saml2-encryption-algorithm"]["done"] == "weak"
    assert rows["saml2-encryption-algorithm-strength"]["says"].endswith("128 bits")
    _carol(remint)
    assert "EncryptedAssertion" in _issued(remint, "orders", "SAML2")


def test_classes_are_plug_ins_here(remint: Remint, tmp_path: Path) -> None:
    """A Java class refuses an instance until the operator names the plug-in in its place."""
    state = structured()
    name = "com.example.Claims"
    state["oidc-id-token-config"]["oidc-custom-claim-mapper-class"] = name
    file = tmp_path / "mapped.json"
    file.write_text(json.dumps(state))
    asked = ("instances", "import", str(file), "--dry-run", "--json")
    done = remint(*asked)
    assert done.code == 1
    assert f"--plug-in {name}=NAME" in _keys(done.out)["oidc-custom-claim-mapper-class"]["says"]
    done = remint(*asked, "--plug-in", f"{name}=our-claims")
    assert done.code == 0
    assert _keys(done.out)["oidc-custom-claim-mapper-class"]["done"] == "changed"


def test_another_realm(remint: Remint, tmp_path: Path) -> None:
    """--realm moves an instance; a realm that is not there refuses it in the broker's words."""
    lines = str(EXAMPLES / "attributes.properties")
    done = remint("instances", "import", lines, "--realm", "/north")
    assert done.code == 1
    assert "there is no realm" in done.out
    assert remint("realms", "create", "/north").code == 0
    assert remint("instances", "import", lines, "--realm", "/north").code == 0
    assert "north/receipts" in remint("instances", "list").out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--secret", "nobody.oidc-client-secret=/dev/null"], "no such instance"),
        (["--secret", "receipts.oidc-issuer=/dev/null"], "is no secret"),
        (["--set", "receipts.oidc-client-secret=x"], "put it into a file"),
        (["--set", "receipts"], "NAME=VALUE"),
        (["--signature-algorithm", "md5"], "--signature-algorithm is one of"),
    ],
)
def test_slips_of_the_pen(remint: Remint, arguments: list[str], said: str) -> None:
    """An option that can do nothing is a sentence, and nothing is published."""
    done = remint("instances", "import", str(EXAMPLES / "attributes.properties"), *arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_a_broker_elsewhere(remint: Remint, broker: BrokerProcess) -> None:
    """--url imports into a running broker."""
    lines = str(EXAMPLES / "attributes.properties")
    done = remint("instances", "import", lines, "--url", broker.url)
    assert (done.code, done.err) == (0, "")
    assert "receipts" in remint("instances", "list", "--url", broker.url).out.splitlines()


def test_the_same_instance_twice(remint: Remint, tmp_path: Path) -> None:
    """Two files with one instance are not imported over each other."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(FORMS["amster"]))
    done = remint("instances", "import", str(tmp_path / "one.json"), str(tmp_path / "two.json"))
    assert (done.code, done.out) == (1, "")
    assert "one.json" in done.err
    assert "two.json" in done.err


def test_the_defaults_of_all(remint: Remint, tmp_path: Path) -> None:
    """An entity without a name has the defaults of all instances and is none itself."""
    found = sections()
    del found["restStsDeployment"]["deployment-url-element"]
    file = tmp_path / "defaults.json"
    file.write_text(json.dumps({"metadata": {"realm": "/"}, "data": {"_id": "", **found}}))
    assert "no REST STS instance" in remint("instances", "import", str(file)).err


def test_triple_des_and_realm_keys(
    remint: Remint, monkeypatch: pytest.MonkeyPatch, key_stores: Path, secrets: Secrets,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Triple DES is refused until another cipher is given; the certificate to encrypt to stays in
    its key store when the realm's key signs."""
    document = json.loads(Path(ORDERS).read_text())
    document["data"]["restStsSaml2"] |= {
        "saml2-encrypt-nameid": True,
        "saml2-encryption-key-alias": files.RSA_ALIAS,
        "saml2-encryption-algorithm": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
        "saml2-encryption-algorithm-strength": 0,
        "saml2-key-transport-algorithm": "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    }
    file = tmp_path / "triple.json"
    file.write_text(json.dumps(document))
    asked = ["instances", "import", str(file), "--realm-keys",
             *secrets("orders", "saml2-keystore-password", "oidc-client-secret")]  # fmt: skip
    done = remint(*asked)
    assert done.code == 1
    assert "triple DES" in done.out
    done = remint(*asked, "--set", "orders.saml2-encryption-algorithm=aes128-cbc")
    assert done.code == 0, done.out
    saml2 = json.loads(remint("instances", "get", "orders").out)["saml2-config"]
    assert saml2["saml2-keystore-filename"] == "remint:"
    assert saml2["saml2-encryption-keystore-filename"] == "sts.p12"
    _carol(remint)
    assert "EncryptedID" in _issued(remint, "orders", "SAML2")


@pytest.mark.parametrize(
    ("realm", "name"),
    [
        ("/rooted", "rooted/same"),
        ("/rooted/inner", "rooted/inner/same"),
        (f"{AM_ROOT}/inner", "inner/same"),
        (AM_ROOT, "same"),
        ("o=inner,o=rooted,ou=services,dc=example", "rooted/inner/same"),
        (None, "same"),
    ],
)
def test_realm_of_an_export(remint: Remint, tmp_path: Path, realm: Any, name: str) -> None:
    """An instance goes where its export was made, however the export writes that realm."""
    found = sections()
    del found["restStsDeployment"]["deployment-realm"]
    file = tmp_path / "placed.json"
    file.write_text(json.dumps({"metadata": {"realm": realm}, "data": {"_id": "same", **found}}))
    done = remint("instances", "import", str(file), "--dry-run", "--json")
    assert [each["instance"] for each in json.loads(done.out)] == [name]


def test_what_checks_a_login(remint: Remint, tmp_path: Path) -> None:
    """An import names each chain and module that the realm has to have, and none that is here."""
    key = "deployment-auth-target-mappings"
    file = tmp_path / "checked.json"
    said = []
    for targets in (
        ["USERNAME|service|ldapService", "X509|module|cert_module"],
        ["USERNAME|service|staff", "OPENAM|module|door", "X509|module|cert_module", "FOO|module|x"],
    ):
        document = json.loads(json.dumps(FORMS["amster"]))
        document["data"]["restStsDeployment"][key] = targets
        file.write_text(json.dumps(document))
        done = remint("instances", "import", str(file), "--dry-run", "--json")
        said.append(_keys(done.out)[key]["says"])
    assert "remint auth put" not in said[0]
    assert "does not say what service staff, module door is;" in said[1]


def test_a_mark_before_the_text(remint: Remint, tmp_path: Path) -> None:
    """The byte order mark that some editors write before a text is no part of an export."""
    for name in ("amster", "lines"):
        form = FORMS[name]
        file = tmp_path / f"{name}.{'txt' if isinstance(form, str) else 'json'}"
        text = form if isinstance(form, str) else json.dumps(form)
        file.write_text(text, encoding="utf-8-sig")
        done = remint("instances", "import", str(file), "--dry-run")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[0].startswith("same ")


def test_files_without_an_instance(remint: Remint, tmp_path: Path) -> None:
    """A file that holds none, or is no JSON, is named in a sentence."""
    for name, text in (("other.json", '{"a": 1}'), ("torn.json", "{"), ("none.txt", "x")):
        (tmp_path / name).write_text(text)
        done = remint("instances", "import", str(tmp_path / name))
        assert (done.code, done.out) == (1, "")
        assert name in done.err
