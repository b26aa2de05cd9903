"""`/json/certificate-authorities`: whose client certificates a realm accepts, written from afar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from adapters.certificates.document import MAX_AUTHORITIES
from adapters.certificates.files import import_file
from adapters.http.realms import realm_key
from broker.errors import InvalidRequest
from tests.http.presenting import ask, instance
from tests.support.door import HEADER, REALM, Answer, Door
from tests.support.pki import NAME, PATH, Holder, document, pem_list, root, weak_key


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


async def admin(door: Door, method: str, path: str = "", body: Any = None, **head: str) -> Answer:
    headers = {**await door.admin(), **{k.replace("_", "-"): v for k, v in head.items()}}
    return await door.request(method, PATH + path, body=body, headers=headers)


async def test_life_of_an_authority(door: Door, anchor: Holder) -> None:
    """An authority is created, read, listed, replaced and deleted, shown with its defaults, and
    the next request sees each change."""
    await door.publish(instance())
    alice = anchor.issue("alice")
    said = {"name": NAME, "anchors": anchor.pem, "crls": pem_list(anchor.crl())}
    made = await admin(door, "POST", "?_action=create", said)
    assert made.status == 201, made.text
    assert made.body == {
        "_id": NAME,
        "_rev": made.body["_rev"],
        **said,
        "crls": said["crls"].strip(),
        "usage": "client_auth",
        "subject": "dn",
        "link_local_users": False,
        "revocation": "hard",
    }
    assert (await ask(door, alice)).status == 200
    read = await admin(door, "GET", f"/{NAME}")
    assert (read.status, read.body) == (200, made.body)
    listed = await admin(door, "GET")
    assert listed.body == {"result": [made.body], "resultCount": 1}
    changed = await admin(door, "PUT", f"/{NAME}", {**read.body, "subject": "uid"})
    assert (changed.status, changed.body["subject"]) == (200, "uid")
    assert (await ask(door, alice)).status == 401
    assert (await admin(door, "DELETE", f"/{NAME}")).status == 200
    assert (await ask(door, alice)).status == 400
    for method in ("GET", "DELETE"):
        assert (await admin(door, method, f"/{NAME}")).status == 404


async def test_revisions(door: Door, anchor: Holder) -> None:
    """If-Match holds a change back that another one overtook, and makes nothing new."""
    absent = await admin(door, "PUT", f"/{NAME}", document(anchor), If_Match="*")
    assert absent.status == 412
    made = await admin(door, "PUT", f"/{NAME}", document(anchor))
    assert made.status == 201
    revision = made.body["_rev"]
    changed = await admin(
        door, "PUT", f"/{NAME}", document(anchor, subject="cn"), If_Match=revision
    )
    assert changed.status == 200
    for method, body in (("PUT", document(anchor)), ("DELETE", None)):
        late = await admin(door, method, f"/{NAME}", body, If_Match=revision)
        assert late.status == 412


async def test_taken_names_and_anchors(door: Door, anchor: Holder) -> None:
    """A name is created once, and an anchor leads to one authority of a realm."""
    first = {"name": NAME, **document(anchor)}
    assert (await admin(door, "POST", "?_action=create", first)).status == 201
    assert (await admin(door, "POST", "?_action=create", first)).status == 409
    both = document(root("Other"), anchor)
    answer = await admin(door, "PUT", "/other", both)
    assert (answer.status, f"the authority {NAME}" in answer.body["message"]) == (409, True)


async def test_how_many(door: Door) -> None:
    """A realm has no more authorities than its limit."""
    authorities = door.broker.components.authorities
    key = ec.generate_private_key(ec.SECP256R1())
    for number in range(MAX_AUTHORITIES):
        await authorities.put("/", f"a{number}", document(root(f"Root {number}", key=key)))
    answer = await admin(door, "PUT", "/more", document(root("One more", key=key)))
    assert (answer.status, "at most" in answer.body["message"]) == (409, True)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no anchors": ({"anchors": None}, "anchors"),
    "anchors that are none": ({"anchors": "-----BEGIN CERTIFICATE-----"}, "anchors"),
    "anchors as a list": ({"anchors": ["x"]}, "anchors"),
    "too many anchors": ({"anchors": "A" * (256 * 1024 + 1)}, "anchors"),
    "intermediates that are none": ({"intermediates": "x"}, "intermediates"),
    "usage": ({"usage": "servers"}, "usage"),
    "subject": ({"subject": "shoe_size"}, "subject"),
    "subject that is no scalar": ({"subject": ["cn"]}, "subject"),
    "prefix of local users": ({"subject_prefix": "x", "link_local_users": True}, "subject_prefix"),
    "long prefix": ({"subject_prefix": "x" * 129}, "subject_prefix"),
    "policy": ({"revocation": "maybe"}, "revocation"),
    "hard without a source": ({"revocation": "hard"}, "revocation"),
    "default without a source": ({"revocation": None}, "revocation"),
    "off with a source": ({"crl_urls": ["http://crl.example.com/a"]}, "revocation"),
    "lists that are none": ({"revocation": "soft", "crls": "x"}, "crls"),
    "too long lists": ({"revocation": "soft", "crls": "A" * (512 * 1024 + 1)}, "crls"),
    "ftp": ({"revocation": "soft", "crl_urls": ["ftp://crl.example.com"]}, "crl_urls"),
    "a user name in a URL": (
        {"revocation": "soft", "crl_urls": ["http://a:b@crl.example.com"]},
        "crl_urls",
    ),
    "a responder's URL": ({"revocation": "soft", "ocsp_url": "file:///etc/passwd"}, "ocsp_url"),
    "hosts": ({"revocation": "soft", "revocation_hosts": ["http://x/"]}, "revocation_hosts"),
    "too many URLs": ({"revocation": "soft", "crl_urls": ["http://x"] * 17}, "crl_urls"),
    "a file over HTTP": ({"revocation": "soft", "crl_files": ["/etc/passwd"]}, "crl_files"),
    "unknown member": ({"color": "red"}, "color"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_rules(door: Door, anchor: Holder, case: str) -> None:
    """Each broken rule is a 400 that names its member."""
    changes, key = WRONG[case]
    answer = await admin(door, "PUT", f"/{NAME}", document(anchor, **changes))
    assert answer.status == 400, answer.text
    assert key in {problem["key"] for problem in answer.body["detail"]}


async def test_all_problems_at_once(door: Door) -> None:
    """One answer names everything that is wrong."""
    wrong = {"usage": "x", "subject": "x", "revocation": "x", "name": "no name"}
    answer = await admin(door, "PUT", "/no%20name", wrong)
    keys = {problem["key"] for problem in answer.body["detail"]}
    assert keys == {"usage", "subject", "revocation", "name", "anchors"}


@pytest.mark.parametrize(
    "holder",
    [
        lambda: root("leaf", authority=False),
        lambda: root(key=weak_key()),
        lambda: root().issue("leaf"),
    ],
    ids=["self-signed client", "weak key", "client"],
)
async def test_anchors_that_do_not_do(door: Door, holder: Any) -> None:
    """An anchor is the certificate of an authority, with a key that is good enough."""
    answer = await admin(door, "PUT", f"/{NAME}", document(holder()))
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "anchors")


async def test_key_that_no_path_can_have(door: Door, anchor: Holder) -> None:
    """An Ed25519 authority is refused when it is written down, not request by request."""
    key: Any = ed25519.Ed25519PrivateKey.generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(anchor.certificate.subject)
        .issuer_name(anchor.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(anchor.certificate.not_valid_before_utc)
        .not_valid_after(anchor.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(True, None), True)
    )
    made = Holder(builder.sign(key, None), key)
    answer = await admin(door, "PUT", f"/{NAME}", document(made))
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "anchors")


async def test_administrators_alone(door: Door, anchor: Holder) -> None:
    """Without a session 401, without the right 403; a realm's administrator rules that realm."""
    await door.add_user("plain")
    assert (await door.request("GET", PATH)).status == 401
    head = {HEADER: await door.login("plain")}
    assert (await door.request("GET", PATH, headers=head)).status == 403
    mine = await door.realm_admin()
    path = f"/json{REALM}/certificate-authorities/{NAME}"
    assert (await door.request("PUT", path, body=document(anchor), headers=mine)).status == 201
    assert door.audit()[-1]["operation"] == "certificate-authorities put"
    assert (await door.request("GET", PATH, headers=mine)).status == 403


async def test_realm_with_authorities_stays(door: Door, anchor: Holder) -> None:
    """A realm is not deleted while it has authorities."""
    head = await door.admin()
    await door.broker.components.realms.create("/new")
    await door.broker.components.authorities.put("/new", NAME, document(anchor))
    answer = await door.request("DELETE", f"/json/realms/{realm_key('/new')}", headers=head)
    assert (answer.status, "certificate authorities" in answer.body["message"]) == (409, True)
    await door.broker.components.authorities.delete("/new", NAME)
    assert (
        await door.request("DELETE", f"/json/realms/{realm_key('/new')}", headers=head)
    ).status == 200


async def test_crl_file_survives_a_read_and_write(
    door: Door, anchor: Holder, tmp_path: Path
) -> None:
    """What a file named is kept by a document that was read over HTTP and written back."""
    (tmp_path / "root.pem").write_text(anchor.pem)
    (tmp_path / "root.crl").write_text(pem_list(anchor.crl()))
    (tmp_path / "a.toml").write_text(
        f'[[authority]]\nname = "{NAME}"\nanchors_file = "root.pem"\ncrl_files = ["root.crl"]\n'
    )
    await import_file(tmp_path / "a.toml", door.broker.components.authorities)
    read = (await admin(door, "GET", f"/{NAME}")).body
    changed = await admin(door, "PUT", f"/{NAME}", {**read, "subject": "cn"})
    assert (changed.status, changed.body["crl_files"]) == (200, [str(tmp_path / "root.crl")])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[authority]", "Expected"),
        ('[authority]\nname = "x"', "write each authority under"),
        ('[[authority]]\nname = "x"\nanchors_file = "none.pem"', "No such file"),
        ('[[authority]]\nanchors = ""\nanchors_file = "x"', "not both"),
        ("[[authority]]\nrealm = 5", "realm is a string"),
        ('[[authority]]\nname = "x"', "authority 1: "),
    ],
)
async def test_files_that_do_not_do(door: Door, tmp_path: Path, text: str, sentence: str) -> None:
    """A file with a mistake is refused whole, with a sentence."""
    path = tmp_path / "authorities.toml"
    path.write_text(text)
    authorities = door.broker.components.authorities
    with pytest.raises(InvalidRequest) as refused:
        await import_file(path, authorities)
    assert sentence in refused.value.sentence
    assert await authorities.list("/") == []
