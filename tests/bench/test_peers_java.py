"""The peers of the bench that run on the JVM: OpenAM and Apache CXF's STS.

They are downloaded and run only where REMINT_BENCH_PEERS=1 asks for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import zipfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import jwt as judge
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from bench.peers import REQUESTS, Peer, PeerFailed, cxf, openam
from bench.peers.cxf import CxfSts
from bench.peers.java import KeyStore, key_store
from bench.peers.loopback import basic
from bench.peers.openam import OpenAm, to_loopback
from bench.peers.openam_setup import Site, publication
from bench.peers.ws_trust import TRUST, WsTrust
from bench.target import WrongAnswer
from bench.target.trust import public_key

ASKED_FOR = os.environ.get("REMINT_BENCH_PEERS") == "1"  # read before fixtures clear REMINT_…
CACHE = Path("~/.cache/remint-bench").expanduser()
PEERS: tuple[Peer, ...] = (CxfSts(), CxfSts(soap=True), OpenAm(), OpenAm(kept=False))
URL = "http://127.0.0.1:1"
MANY = 30
ACTION = {"password-to-rs256": "Issue", "password-to-saml2": "Issue", "jwt-to-rs256": "Validate"}
RESPONSE = (
    f'<RequestSecurityTokenResponse xmlns="{TRUST}" Context="{{context}}">'
    "<RequestedSecurityToken>{token}</RequestedSecurityToken></RequestSecurityTokenResponse>"
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script of a name on a PATH that has /bin and nothing else of this machine."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o700)

    return put


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    """A key and its certificate; without a JDK there is no JKS file of them."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keytool").write_text("#!/bin/sh\nexit 0\n")
    (folder / "keytool").chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/bin")
        return key_store(folder)


# -- what can be told without them ----------------------------------------------------------------


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("gone", ["java", "javac", "mvn"])
def test_a_missing_tool_is_named(
    peer: Peer, gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a JDK or Maven one sentence says what to install for which peer."""
    for program in ("java", "javac", "mvn"):
        (tmp_path / program).touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peer.missing() is None
    (tmp_path / gone).unlink()
    said = peer.missing()
    assert said is not None
    assert said.startswith(f"{peer.name} needs {gone}, which is not here: install ")


@pytest.mark.parametrize("peer", [CxfSts(), OpenAm()], ids=lambda peer: peer.name)
def test_a_broken_download_is_not_kept(
    peer: Peer, tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    """What Maven did not bring is asked for again, and the failure says which step it was."""
    programs("mvn", "echo no such artifact; exit 1")
    for _ in range(2):
        with pytest.raises(PeerFailed, match=r"^mvn.* failed: no such artifact$"):
            peer.install(tmp_path / "cache")


def test_the_certificate_is_the_keys(keys: KeyStore) -> None:
    """What answers are verified with belongs to the key that a peer signs with, and is hidden."""
    certificate = x509.load_pem_x509_certificate(keys.certificate.read_bytes())
    private = load_pem_private_key(keys.private_key.encode(), None)
    assert certificate.public_key() == private.public_key()
    assert "PRIVATE KEY" not in repr(keys)


# -- CXF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("soap", [False, True])
@pytest.mark.parametrize("request_name", ACTION)
def test_ws_trust_bodies(keys: KeyStore, request_name: str, soap: bool) -> None:
    """Each request has a Context of its own, asks for the right thing, and names its caller."""
    target = cxf.targets(URL, keys, soap=soap)[request_name]
    contexts = set()
    for body in target.bodies(MANY):
        root = etree.fromstring(body)
        request = next(root.iter(f"{{{TRUST}}}RequestSecurityToken"))
        contexts.add(request.get("Context"))
        action = request.findtext(f"{{{TRUST}}}RequestType")
        assert action == f"{TRUST}/{ACTION[request_name]}"
        assert request.findtext(".//{*}Address") == cxf.AUDIENCE
        assert (f">{cxf.PASSWORD}<".encode() in body) is soap
        assert request_name.startswith("jwt") is (b"TokenWrapper" in body)
    assert len(contexts) == MANY
    assert target.url == (f"{URL}/soap" if soap else f"{URL}/rest/token?action={_action(target)}")
    assert ("Authorization" in target.head) is not soap
    assert "Basic" not in repr(target)


def _action(target: WsTrust) -> str:
    return "validate" if target.tokens else "issue"


def test_tokens_handed_to_cxf_differ(keys: KeyStore) -> None:
    """Each JWT that is handed in is another one, and holds under the key that CXF trusts."""
    target = cxf.targets(URL, keys, soap=False)["jwt-to-rs256"]
    public = public_key(keys.certificate)
    shown = {_wrapped(body) for body in target.bodies(MANY)}
    assert len(shown) == MANY
    for token in shown:
        claims = judge.decode(token, public, algorithms=["RS256"], audience=cxf.AUDIENCE)
        assert claims["sub"] == cxf.USER


def _wrapped(body: bytes) -> str:
    return next(etree.fromstring(body).iter("TokenWrapper")).text or ""


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"no XML", "without a response"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
        (b"<Fault>wrong password</Fault>", "without a response"),
        (RESPONSE.format(context="another", token="<a/>").encode(), "another Context"),
        (RESPONSE.format(context="{context}", token="").encode(), "without a token"),
        (RESPONSE.format(context="{context}", token="<a>e.e.e</a>").encode(), "no signed JWT"),
    ],
)
def test_wrong_ws_trust_answers(keys: KeyStore, answer: bytes, complaint: str) -> None:
    """An answer that is no answer to its request, or holds no token, is refused with its reason."""
    target = cxf.targets(URL, keys, soap=False)["jwt-to-rs256"]
    (body,) = target.bodies(1)
    context = etree.fromstring(body).get("Context") or ""
    with pytest.raises(WrongAnswer, match=complaint):
        target.check(body, answer.replace(b"{context}", context.encode()))


def test_a_ws_trust_answer_is_judged_by_its_token(keys: KeyStore) -> None:
    """A token of the right key, issuer, audience and subject passes, and no other does."""
    target = cxf.targets(URL, keys, soap=False)["jwt-to-rs256"]
    (body,) = target.bodies(1)
    context = etree.fromstring(body).get("Context")
    token = _wrapped(body)  # as CXF would issue it: the same key, issuer and names
    claims = judge.decode(token, options={"verify_signature": False})

    def answer(of: str) -> bytes:
        wrapper = f'<TokenWrapper xmlns="">{of}</TokenWrapper>'
        return RESPONSE.format(context=context, token=wrapper).encode()

    assert target.check(body, answer(token)) == claims["jti"]
    other = judge.encode({**claims, "sub": "another"}, keys.private_key, "RS256")
    with pytest.raises(WrongAnswer, match="another subject"):
        target.check(body, answer(other))
    head, _, signature = token.split(".")
    forged = f"{head}.{other.split('.')[1]}.{signature}"
    with pytest.raises(WrongAnswer, match="signature"):
        target.check(body, answer(forged))


def test_the_program_has_the_version_that_is_named() -> None:
    """The version that a result names is the one that Maven is asked for."""
    pom = etree.parse(str(cxf.SOURCES / "pom.xml"))
    assert pom.findtext(".//{*}cxf.version") == CxfSts().version


# -- OpenAM ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
def test_the_instance_that_is_published(tmp_path: Path, kept: bool) -> None:
    """The instance signs with the bench's key, RS256, and keeps its tokens if it is to."""
    site = Site(1, (2, 3, 4), tmp_path, tmp_path / "keys.jks", kept=kept)
    state = json.loads(json.dumps(publication(site)))["instance_state"]
    assert state["persist-issued-tokens-in-cts"] == ("true" if kept else "false")
    assert state["oidc-id-token-config"]["oidc-signature-algorithm"] == "RS256"
    assert state["saml2-config"]["saml2-sign-assertion"] == "true"
    stores = {
        state["oidc-id-token-config"]["oidc-keystore-location"],
        state["saml2-config"]["saml2-keystore-filename"],
    }
    assert stores == {str(site.keys)}
    transforms = state["supported-token-transforms"]
    assert {(one["inputTokenType"], one["outputTokenType"]) for one in transforms} == {
        (given, wanted) for given in ("USERNAME", "OPENAM") for wanted in ("OPENIDCONNECT", "SAML2")
    }


def test_openam_is_asked_as_a_rest_sts(keys: KeyStore) -> None:
    """Passwords go to the instance's translate action, for the token that the name promises."""
    targets = openam.targets(URL, keys, kept=True)
    assert {target.url for target in targets.values()} == {
        f"{URL}/openam/rest-sts/bench?_action=translate"
    }
    for name, wanted in (("password-to-rs256", "OPENIDCONNECT"), ("password-to-saml2", "SAML2")):
        (body,) = (json.loads(body) for body in targets[name].bodies(1))
        assert body["input_token_state"]["token_type"] == "USERNAME"
        assert body["output_token_state"]["token_type"] == wanted


def test_the_embedded_directory_stays_on_loopback(tmp_path: Path) -> None:
    """The directory's template listens on 127.0.0.1 afterwards, and is else as it was."""
    archive = tmp_path / "opendj.zip"
    entries = {
        "template/config/config.ldif": b"a: b\nds-cfg-listen-address: 0.0.0.0\nc: d\n",
        "lib/other": b"ds-cfg-listen-address: 0.0.0.0",
    }
    with zipfile.ZipFile(archive, "w") as made:
        for name, content in entries.items():
            made.writestr(name, content)
    to_loopback(archive)
    with zipfile.ZipFile(archive) as patched:
        found = {name: patched.read(name) for name in patched.namelist()}
    assert found == {
        "template/config/config.ldif": b"a: b\nds-cfg-listen-address: 127.0.0.1\nc: d\n",
        "lib/other": entries["lib/other"],
    }


def test_likeness_is_complete(keys: KeyStore) -> None:
    """Every row of the likeness table is filled, for each request by its common name."""
    for soap in (False, True):
        for name in cxf.targets(URL, keys, soap=soap):
            assert name in REQUESTS
            _complete(cxf.likeness(name, soap=soap).rows(), name)
    for kept in (False, True):
        for name in openam.targets(URL, keys, kept=kept):
            assert name in REQUESTS
            rows = openam.likeness(name, kept=kept).rows()
            _complete(rows, name)
            assert rows["persistence"].startswith("none") is not kept


def _complete(rows: dict[str, str], request: str) -> None:
    assert all(rows.values())
    assert rows["signature"].startswith("RSA-SHA256" if "saml2" in request else "RS256")
    assert rows["memory_limit"].count("-Xmx") == 1


# -- the servers themselves -----------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.skipif(not ASKED_FOR, reason="REMINT_BENCH_PEERS=1 downloads and runs the peers")
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_answers_and_refuses(peer: Peer, tmp_path: Path) -> None:
    """Each request of a peer is answered well, each time by another token; and none to a liar."""
    if said := peer.missing():
        pytest.skip(said)
    peer.install(CACHE)
    with peer.running(CACHE, tmp_path) as loaded:
        for name, one in loaded.items():
            answers, ids = [], set()
            for body in one.target.bodies(MANY):
                status, answer = _asked(one.target.url, dict(one.target.head), body)
                assert status == 200, (name, answer)
                ids.add(one.target.check(body, answer))
                answers.append(answer)
            assert len(ids) == MANY
            asyncio.run(one.target.check_kept(answers))
            _, answer = _asked(one.target.url, _lying(dict(one.target.head)), _forged(body))
            with pytest.raises(WrongAnswer):
                one.target.token(answer)
        processes = {pid for one in loaded.values() for pid in one.processes.values()}
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def _lying(head: dict[str, str]) -> dict[str, str]:
    """Another password where HTTP carries one."""
    if "Authorization" in head:
        head["Authorization"] = basic(cxf.USER, "wrong")
    return head


def _forged(body: bytes) -> bytes:
    """Another password or session where the body carries one."""
    for before in (b'"session_id":"', b'"password":"', b'PasswordText">'):
        body = body.replace(before, before + b"wrong")
    return body


def _asked(url: str, head: dict[str, str], body: bytes) -> tuple[int, bytes]:
    place = urlsplit(url)
    connection = HTTPConnection(place.netloc, timeout=60)
    try:
        connection.request("POST", f"{place.path}?{place.query}", body, head)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
