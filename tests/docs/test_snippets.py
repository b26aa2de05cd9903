"""Each snippet that a page prints runs, against a broker as `make demo` starts it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.authentication import files as authentication_files
from adapters.authentication.document import CHAIN, DEFAULT, MODULE
from adapters.authentication.draft import Drafts, chain, default
from adapters.authentication.kinds import installed
from adapters.certificates import files as authority_files
from adapters.directories import users
from adapters.instances import toml
from adapters.issuers import files as issuer_files
from adapters.settings import Settings
from broker.instance import compiled
from broker.model import TokenType
from tests.docs.conftest import Demo
from tests.support.authentication import parts
from tests.support.pki import root
from tests.support.plug_ins import example_problem

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "bench/README.md", *sorted(ROOT.glob("docs/**/*.md"))]
OPAQUE = frozenset({TokenType("OPAQUE")})
RUN_SECONDS = 60


@dataclass(frozen=True)
class Snippet:
    page: Path
    language: str
    text: str


def _snippets(language: str) -> list[Snippet]:
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.M | re.S)
    return [
        Snippet(page, language, text) for page in PAGES for text in fenced.findall(page.read_text())
    ]


def _name(snippet: object) -> str:
    if isinstance(snippet, Snippet):
        return f"{snippet.page.name}: {snippet.text.splitlines()[0][:50]}"
    return str(snippet)


@pytest.mark.parametrize("snippet", _snippets("toml"), ids=_name)
def test_toml_is_read_as_what_it_is(snippet: Snippet, tmp_path: Path) -> None:
    """A TOML snippet is an instance, issuers, users, who checks logins, or settings without a
    problem."""
    document = tomllib.loads(snippet.text)
    if "transforms" in document:
        draft, problems = toml.decode(document)
        assert not problems
        assert (
            compiled(
                draft,
                known_inputs=OPAQUE,
                known_outputs=OPAQUE,
                plug_in_problem=example_problem,
            )
            == draft
        )
    elif "issuer" in document:
        path = tmp_path / "issuers.toml"
        path.write_text(snippet.text)
        assert issuer_files.read(path)
    elif "authority" in document:
        path = tmp_path / "authorities.toml"
        path.write_text(snippet.text)
        for number, name in enumerate(re.findall(r'anchors_file = "(.*)"', snippet.text)):
            (tmp_path / name).write_text(root(f"Root {number}").pem)
        assert authority_files.read(path)
    elif document.keys() & {"module", "chain", "default"}:
        path = tmp_path / "authentication.toml"
        path.write_text(snippet.text)
        for name in re.findall(r'"([\w-]+\.(?:pem|keytab))"', snippet.text):
            (tmp_path / name).write_text(root("Root").pem)
        drafts = Drafts(installed(), parts(tmp_path))
        for entry in authentication_files.read(path):
            decoded = {MODULE: drafts.module, CHAIN: chain, DEFAULT: default}
            assert decoded[entry.part](entry.realm, entry.state, None)
    elif "user" in document:
        path = tmp_path / "users.toml"
        path.write_text(snippet.text)
        assert users.read(path)
    else:
        assert Settings(**document)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
@pytest.mark.parametrize(
    "page", [p for p in PAGES if "```sh\n" in p.read_text()], ids=lambda p: p.name
)
def test_shell_snippets_do_what_they_say(page: Path, demo: Demo) -> None:
    """The shell snippets of a page, run in order as a reader would, all succeed."""
    for snippet in _snippets("toml"):
        if 'url_element = "orders"' in snippet.text:
            (demo.folder / "orders.toml").write_text(snippet.text)
    for snippet in _snippets("sh"):
        if snippet.page != page:
            continue
        script = _adapted(snippet.text, demo.port)
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=demo.folder,
            env=demo.environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
        assert '"code":' not in ran.stdout, ran.stdout


def _adapted(text: str, port: int) -> str:
    """The reader's clone is this checkout, and what make would do is only looked at."""
    text = re.sub(r"^git clone .*$", "", text, flags=re.M)
    text = re.sub(r"^((?:[A-Z_]+=\S+ )?)make ", rf"\1make -n -C {ROOT} ", text, flags=re.M)
    return text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
