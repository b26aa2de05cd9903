"""The peers of the bench that speak OAuth 2.0 alone: oidc-provider, Keycloak and zitadel/oidc.

They are downloaded and run only where REMINT_BENCH_PEERS=1 asks for it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt as judge
import pytest

from bench.peers import REQUESTS, Peer, PeerFailed, keycloak, node, oidc_provider, zitadel_oidc
from bench.peers.commands import done, served
from bench.peers.keycloak import Keycloak
from bench.peers.oidc_provider import OidcProvider
from bench.peers.subjects import SubjectTokens
from bench.peers.token_endpoint import TokenEndpoint
from bench.peers.zitadel_oidc import ZitadelOidc
from bench.target.options import ACCESS_TOKEN
from bench.target.token_exchange import GRANT

ASKED_FOR = os.environ.get("REMINT_BENCH_PEERS") == "1"  # read before fixtures clear REMINT_…
CACHE = Path("~/.cache/remint-bench").expanduser()
PEERS: tuple[Peer, ...] = (OidcProvider(), Keycloak(), ZitadelOidc())
URL = "http://127.0.0.1:1"
MANY = 30


@pytest.fixture(scope="module")
def tokens() -> SubjectTokens:
    return oidc_provider.subject_tokens()


@pytest.fixture(scope="module")
def node_targets(tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    """Of a server that signs with the issuer's key, since there is none in these tests."""
    return oidc_provider.targets_at(URL, json.dumps(tokens.public_jwks()), tokens)


@pytest.fixture(scope="module")
def keycloak_targets(tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    users = {"user-0": "id-0", "user-1": "id-1"}
    return keycloak.targets_at(URL, json.dumps(tokens.public_jwks()), tokens, users)


@pytest.fixture(scope="module")
def go_targets(tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    jwks = json.dumps(tokens.public_jwks())
    own = zitadel_oidc.subject_tokens(f"{URL}/", tokens.key, jwks)
    return zitadel_oidc.targets_at(f"{URL}/", jwks, own)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script of a name on a PATH that has /bin and nothing else of this machine."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o700)

    return put


# -- what can be told without them ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "program"),
    [(OidcProvider(), "node"), (Keycloak(), "java"), (ZitadelOidc(), "go")],
    ids=lambda it: str(it),
)
def test_a_missing_tool_is_named(
    peer: Peer, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a peer's toolchain is not there, one sentence says what to install for which peer."""
    monkeypatch.setenv("PATH", str(tmp_path))
    said = peer.missing()
    assert said is not None
    assert said.startswith(f"{peer.name} needs {program}, which is not here: install ")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_nothing_is_missing_with_all_tools(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer whose tools are on the PATH is not skipped, wherever they are."""
    for program in ("node", "npm", "java", "mvn", "go"):
        (tmp_path / program).touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peer.missing() is None


@pytest.mark.parametrize("version", ["go1.19.8", "go1.23"])
def test_a_go_that_is_too_old_is_named(version: str, programs: Callable[[str, str], None]) -> None:
    """A Go that cannot build the program is told with its version, before anything is fetched."""
    programs("go", f"echo {version}")
    said = ZitadelOidc().missing()
    assert said == f"zitadel/oidc needs Go, 1.24 or later, and here is {version}"


@pytest.mark.parametrize("version", ["go1.24", "go1.26.8", "go2.0", "devel go1.28-4fd"])
def test_a_go_that_is_new_enough_is_taken(
    version: str, programs: Callable[[str, str], None]
) -> None:
    """A Go of the version that is asked for, a later one, or one built from source is taken."""
    programs("go", f"echo {version}")
    assert ZitadelOidc().missing() is None


def test_requests_have_common_names(
    node_targets: dict[str, TokenEndpoint],
    keycloak_targets: dict[str, TokenEndpoint],
    go_targets: dict[str, TokenEndpoint],
) -> None:
    """What these peers can be asked has the names by which the bench puts servers side by side."""
    assert set(node_targets) == {
        "jwt-to-rs256", "jwt-to-es256", "client-to-rs256", "client-to-es256"
    }  # fmt: skip
    assert set(keycloak_targets) == {*node_targets, "password-to-rs256"}
    assert set(keycloak_targets) <= set(REQUESTS)
    assert set(go_targets) == {"jwt-to-rs256", "client-to-rs256"}


def test_likeness_is_complete(
    node_targets: dict[str, TokenEndpoint],
    keycloak_targets: dict[str, TokenEndpoint],
    go_targets: dict[str, TokenEndpoint],
) -> None:
    """Every row of the likeness table is filled, and names the algorithm that is then judged."""
    rows = [oidc_provider.likeness(target) for target in node_targets.values()]
    rows += [keycloak.likeness(target) for target in keycloak_targets.values()]
    rows += [zitadel_oidc.likeness(target) for target in go_targets.values()]
    targets = [*node_targets.values(), *keycloak_targets.values(), *go_targets.values()]
    for likeness, target in zip(rows, targets, strict=True):
        assert all(likeness.rows().values())
        assert likeness.signature.startswith(target.expected.algorithm)
        assert likeness.output.endswith(target.expected.algorithm)


def test_exchange_bodies_are_distinct(
    node_targets: dict[str, TokenEndpoint], tokens: SubjectTokens
) -> None:
    """Each request of an exchange brings a subject token that no other has and that verifies."""
    target = node_targets["jwt-to-es256"]
    forms = [parse_qs(body.decode(), strict_parsing=True) for body in target.bodies(MANY)]
    shown = {form["subject_token"][0] for form in forms}
    assert len(shown) == MANY
    key = judge.PyJWK(tokens.public_jwks()["keys"][0])
    for token in shown:
        judge.decode(
            token, key, algorithms=["RS256"], audience=oidc_provider.CLIENT,
            issuer=oidc_provider.ISSUER, options={"require": ["exp", "iat", "sub", "jti"]},
        )  # fmt: skip
    assert {form["grant_type"][0] for form in forms} == {GRANT}
    assert {form["resource"][0] for form in forms} == {"https://api.example.com/es256"}


def test_its_own_tokens_are_shown_to_zitadel(
    go_targets: dict[str, TokenEndpoint], tokens: SubjectTokens
) -> None:
    """The Go example trusts itself alone: each subject token is of its issuer and key, and new."""
    bodies = go_targets["jwt-to-rs256"].bodies(MANY)
    forms = [parse_qs(body.decode(), strict_parsing=True) for body in bodies]
    key = judge.PyJWK(tokens.public_jwks()["keys"][0])
    shown = [
        judge.decode(
            form["subject_token"][0], key, algorithms=["RS256"], audience=zitadel_oidc.CLIENT,
            issuer=f"{URL}/", options={"require": ["exp", "iat", "sub", "jti"]},
        )
        for form in forms
    ]  # fmt: skip
    assert len({claims["jti"] for claims in shown}) == MANY
    assert len({claims["sub"] for claims in shown}) == MANY
    assert {form["subject_token_type"][0] for form in forms} == {ACCESS_TOKEN}
    assert {form["audience"][0] for form in forms} == {zitadel_oidc.AUDIENCE}


def test_other_bodies_say_who_asks(keycloak_targets: dict[str, TokenEndpoint]) -> None:
    """A password grant goes round the users; client credentials are the grant and the header."""
    bodies = list(keycloak_targets["password-to-rs256"].bodies(3))
    names = [parse_qs(body.decode())["username"] for body in bodies]
    assert names == [["user-0"], ["user-1"], ["user-0"]]
    client = keycloak_targets["client-to-es256"]
    assert list(client.bodies(2)) == [b"grant_type=client_credentials"] * 2
    assert client.head["Authorization"].startswith("Basic ")


# -- installing -----------------------------------------------------------------------------------


def test_lock_file_pins_without_addresses() -> None:
    """What npm installs is pinned by version and hash; whoever installs chooses the registry."""
    package = json.loads((oidc_provider.SOURCE / "package.json").read_text())
    assert package["dependencies"]["oidc-provider"] == oidc_provider.VERSION
    lock = json.loads((oidc_provider.SOURCE / "package-lock.json").read_text())
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    installed = {path: entry for path, entry in lock["packages"].items() if path}
    assert installed
    for path, entry in installed.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+\S*", entry["version"]), path
        assert entry["integrity"].startswith("sha512-"), path
        assert "resolved" not in entry, path


def test_go_module_is_pinned() -> None:
    """What Go builds is one version of the module, with a hash for it and all that it needs."""
    module = (zitadel_oidc.SOURCE / "go.mod").read_text()
    assert f"require github.com/zitadel/oidc/v3 v{zitadel_oidc.VERSION}\n" in module
    assert "go {}.{}.".format(*zitadel_oidc.LEAST_GO) in module
    assert "replace" not in module
    sums = [line.split() for line in (zitadel_oidc.SOURCE / "go.sum").read_text().splitlines()]
    hashed = {(name, version) for name, version, _ in sums}
    needed = re.findall(r"^(?:require |\t)(\S+) (v\S+)", module, re.MULTILINE)
    assert needed
    for name, version in needed:
        assert {(name, version), (name, f"{version}/go.mod")} <= hashed, name
    assert all(digest.startswith("h1:") for _, _, digest in sums)


def test_go_runs_once(tmp_path: Path, programs: Callable[[str, str], None]) -> None:
    """A program that was built is not built again; one whose modules did not come is."""
    cache, ran = tmp_path / "cache", tmp_path / "ran"
    programs("go", f'echo "$1" >> {ran}; echo no proxy; exit 1')
    with pytest.raises(PeerFailed, match="go mod download failed: no proxy"):
        ZitadelOidc().install(cache)
    programs("go", f'echo "$1" >> {ran}')
    ZitadelOidc().install(cache)
    ZitadelOidc().install(cache)
    assert ran.read_text().split() == ["mod", "mod", "build"]


def test_npm_runs_once(tmp_path: Path, programs: Callable[[str, str], None]) -> None:
    """A package that is installed is not fetched again; one whose fetching failed is."""
    target, ran = tmp_path / "target", tmp_path / "ran"
    programs("npm", f"echo ran >> {ran}; echo no registry; exit 1")
    with pytest.raises(PeerFailed, match="npm ci failed: no registry"):
        node.install(oidc_provider.SOURCE, target)
    programs("npm", f"echo ran >> {ran}")
    node.install(oidc_provider.SOURCE, target)
    node.install(oidc_provider.SOURCE, target)
    assert ran.read_text().split() == ["ran", "ran"]
    assert (target / "server.mjs").is_file()


def test_a_broken_download_is_not_kept(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    """Keycloak counts as installed when it is built, not when a download began."""
    programs("java", "exit 0")
    programs("mvn", "echo no such artifact; exit 1")
    cache = tmp_path / "cache"
    for _ in range(2):
        with pytest.raises(
            PeerFailed, match=r"mvn dependency:copy org\.keycloak:.* failed: no such"
        ):
            Keycloak().install(cache)


# -- starting and stopping ------------------------------------------------------------------------


def test_a_server_that_ends_is_told_with_its_words(tmp_path: Path) -> None:
    """A server that does not start is reported with what it said, not as a time that ran out."""
    with served("sh", "-c", "echo the port is taken; exit 3", log=tmp_path / "log") as server:
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(PeerFailed, match="the server ended: the port is taken"):
            server.check_alive()


def test_no_child_outlives_its_server(tmp_path: Path) -> None:
    """With a server that a script starts, both the script and the server are gone at the end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"trap '' TERM; sleep 600 & echo $! > {pipe}; wait"
    with served("sh", "-c", script, log=tmp_path / "log") as server:
        child = int(pipe.read_text())
        assert server.child() == child
        os.kill(server.pid, 9)
    assert _state(child) in ("gone", "Z")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "gone"


def test_a_failing_step_is_named(tmp_path: Path) -> None:
    """A step that cannot be run at all fails like one that ran and failed: by its name."""
    with pytest.raises(PeerFailed, match="the first step failed: "):
        done("no-such-program-here", folder=tmp_path, step="the first step")


# -- the servers themselves -----------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.skipif(not ASKED_FOR, reason="REMINT_BENCH_PEERS=1 downloads and runs the peers")
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_answers_and_refuses(peer: Peer, tmp_path: Path) -> None:
    """Each request of a peer is answered well, each time by another token; a forgery is refused."""
    if said := peer.missing():
        pytest.skip(said)
    _install(peer)
    with peer.running(CACHE, tmp_path) as loaded:
        for name, one in loaded.items():
            assert all(_state(pid) not in ("gone", "Z") for pid in one.processes.values())
            ids = set()
            for body in one.target.bodies(MANY):
                status, answer = _asked(one.target.url, dict(one.target.head), body)
                assert status == 200, (name, answer)
                ids.add(one.target.check(body, answer))
            assert len(ids) == MANY
            if one.target.kind == "token-exchange":
                _refuses_forgeries(one.target.url, dict(one.target.head), body)
        processes = [pid for one in loaded.values() for pid in one.processes.values()]
    assert all(_state(pid) in ("gone", "Z") for pid in processes)


def _install(peer: Peer) -> None:
    """Skips where no Go module proxy answers; a module that is not the pinned one fails."""
    try:
        peer.install(CACHE)
    except PeerFailed as failure:
        said = str(failure)
        if said.startswith(f"{zitadel_oidc.DOWNLOAD} failed") and "does NOT match" not in said:
            pytest.skip(said)
        raise


def _refuses_forgeries(url: str, head: dict[str, str], body: bytes) -> None:
    before, token = body.decode().split("subject_token=ey", 1)
    claims = token.split(".")[1]
    signature = token.rsplit(".", 1)[1]
    first = "A" if signature[0] != "A" else "B"
    other = f"{claims[:-1]}{'A' if claims[-1] != 'A' else 'Q'}"
    for forged in (
        token.replace(signature, first + signature[1:]),
        token.replace(claims, other),
        token.replace(signature, ""),
    ):
        status, answer = _asked(url, head, f"{before}subject_token=ey{forged}".encode())
        assert status == 400, answer
        assert "access_token" not in json.loads(answer)


def _asked(url: str, head: dict[str, str], body: bytes) -> tuple[int, bytes]:
    place = urlsplit(url)
    connection = HTTPConnection(place.netloc, timeout=60)
    try:
        connection.request("POST", place.path, body, head)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
