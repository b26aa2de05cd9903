"""OpenAM from Maven Central, on Tomcat: the REST STS that ours speaks the language of."""

from __future__ import annotations

import contextlib
import shutil
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.peers import REQUESTS
from bench.peers.commands import absent, served
from bench.peers.java import (
    JWT_SIGNATURE,
    MARK,
    TOOLS,
    XML_SIGNATURE,
    KeyStore,
    built,
    fetched,
    key_store,
)
from bench.peers.loopback import Loopback
from bench.peers.openam_setup import (
    CONTEXT,
    DOMAIN_HOST,
    INSTANCE,
    ISSUER,
    OIDC_AUDIENCE,
    PASSWORD,
    SAML2_AUDIENCE,
    USER,
    Site,
    configured,
)
from bench.ports import free_ports
from bench.target import Likeness, Loaded
from bench.target.options import Input, Output, TargetOptions
from bench.target.rest_sts import RestSts

VERSION = "16.0.5"
TOMCAT_VERSION = "10.1.48"
HEAP = "-Xms1g -Xmx1g"
SESSIONS = 1000
"""Logins cost OpenAM some 20 ms each: so many sessions take turns. Its cache holds 5,000."""
UNCONFIGURED_PATH = f"{CONTEXT}/config/options.htm"
NEEDED = ("war", "tomcat")

_EXPORTS = (
    "java.base/sun.security.util",
    "java.base/sun.security.x509",
    "java.base/sun.security.tools.keytool",
    "java.security.jgss/sun.security.krb5",
    "java.xml/com.sun.org.apache.xerces.internal.dom",
)
_SERVER_XML = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" maxKeepAliveRequests="-1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false">
        <Context path="{context}" docBase="{war}"/>
      </Host>
    </Engine>
  </Service>
</Server>
"""
_DIRECTORY = "WEB-INF/template/opendj/opendj.zip"
_ANY_ADDRESS = b"ds-cfg-listen-address: 0.0.0.0"
_LOOPBACK_ADDRESS = b"ds-cfg-listen-address: 127.0.0.1"

_ASKED = {
    "session-to-rs256": (Input.OPENAM, Output.OIDC),
    "session-to-saml2": (Input.OPENAM, Output.SAML2),
    "password-to-rs256": (Input.USERNAME, Output.OIDC),
    "password-to-saml2": (Input.USERNAME, Output.SAML2),
}


@dataclass(frozen=True, slots=True)
class OpenAm:
    """A :class:`bench.peers.Peer`."""

    kept: bool = True
    """Issued tokens are kept in its Core Token Service."""
    version: str = VERSION

    @property
    def name(self) -> str:
        return "OpenAM" if self.kept else "OpenAM, tokens not kept"

    def missing(self) -> str | None:
        return absent(self.name, TOOLS)

    def install(self, cache: Path) -> None:
        home = _home(cache)
        if built(home):
            return
        war = f"org.openidentityplatform.openam:openam-server:{VERSION}:war"
        tomcat = f"org.apache.tomcat:tomcat:{TOMCAT_VERSION}:zip"
        for artifact, name in zip((war, tomcat), NEEDED, strict=True):
            archive = fetched(artifact, home)
            shutil.unpack_archive(archive, home / name, "zip")
            archive.unlink()
        to_loopback(home / "war" / _DIRECTORY)
        (home / MARK).touch()

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        keys = key_store(folder)
        port, *directory = free_ports(4)
        server = Loopback(port)
        command = _command(_home(cache), folder, port)
        with served(*command, log=folder / "openam.log") as process:
            server.ready(UNCONFIGURED_PATH, process)
            configured(Site(port, directory, folder, keys.store, kept=self.kept))
            yield self._loaded(server.url, keys, process.pid)

    def _loaded(self, url: str, keys: KeyStore, pid: int) -> dict[str, Loaded]:
        return {
            name: Loaded(
                name=self.name,
                target=target,
                processes={"java": pid},
                likeness=likeness(name, kept=self.kept),
                configuration={
                    "heap": HEAP,
                    "tomcat": TOMCAT_VERSION,
                    "directory and token store": "embedded OpenDJ, in the same process",
                },
            )
            for name, target in targets(url, keys, kept=self.kept).items()
        }


def targets(url: str, keys: KeyStore, *, kept: bool) -> dict[str, RestSts]:
    """What the OpenAM below ``url`` can be asked, by the name of the request."""
    return {
        name: RestSts(
            f"{url}{CONTEXT}/rest-sts/{INSTANCE}",
            TargetOptions(
                input=given,
                output=wanted,
                username=USER,
                password=PASSWORD,
                sessions=SESSIONS,
                certificate=keys.certificate,
                expect_issuer=ISSUER,
                expect_audience=OIDC_AUDIENCE if wanted == Output.OIDC else SAML2_AUDIENCE,
                kept=kept,
                quiet=True,
            ),
        )
        for name, (given, wanted) in _ASKED.items()
    }


def likeness(request: str, *, kept: bool) -> Likeness:
    """What a figure of a request includes."""
    given, wanted = _ASKED[request]
    session = given == Input.OPENAM
    return Likeness(
        input=f"AM session, {SESSIONS} in turn" if session else REQUESTS[request].partition(",")[0],
        output="ID token RS256" if wanted == Output.OIDC else "SAML 2.0 assertion, bearer",
        client_authentication="none: what comes in is the credential",
        verified=(
            "the session, in its cache in memory"
            if session
            else "the password: LDAP bind to OpenDJ, salted SHA-512"
        ),
        session_writes=(
            "the session's idle time" if session else "a session begun and ended for each request"
        ),
        persistence=(
            "Core Token Service: embedded OpenDJ, on disk" if kept else "none: tokens are not kept"
        ),
        signature=JWT_SIGNATURE if wanted == Output.OIDC else XML_SIGNATURE,
        memory_limit=HEAP,
        notes="ID tokens carry eleven claims more than ours; JVM: warm up for 60 s",
    )


def to_loopback(archive: Path) -> None:
    """The embedded directory's template, listening on 127.0.0.1 instead of every address."""
    patched = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(patched, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("config/config.ldif"):
                content = content.replace(_ANY_ADDRESS, _LOOPBACK_ADDRESS)
            new.writestr(entry, content, zipfile.ZIP_DEFLATED)
    patched.replace(archive)


def _home(cache: Path) -> Path:
    return cache / f"openam-{VERSION}"


def _command(home: Path, folder: Path, port: int) -> list[str]:
    """Tomcat in one process, everything that it writes below ``folder``."""
    tomcat = next((home / "tomcat").glob("apache-tomcat-*"))
    base = folder / "tomcat"
    for name in ("conf", "logs", "temp", "webapps", "work"):
        (base / name).mkdir(parents=True)
    shutil.copyfile(tomcat / "conf" / "web.xml", base / "conf" / "web.xml")
    text = _SERVER_XML.format(port=port, context=CONTEXT, war=home / "war")
    (base / "conf" / "server.xml").write_text(text)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 {DOMAIN_HOST} localhost {socket.gethostname()}\n")
    properties = {
        # OpenAM wants a host name in a domain; the JVM alone needs to know it.
        "jdk.net.hosts.file": hosts,
        "java.io.tmpdir": base / "temp",
        "user.home": folder,
        "catalina.home": tomcat,
        "catalina.base": base,
    }
    jars = f"{tomcat}/bin/bootstrap.jar:{tomcat}/bin/tomcat-juli.jar"
    command = ["java", *HEAP.split(), *(f"-D{name}={value}" for name, value in properties.items())]
    for name in _EXPORTS:
        command += ["--add-exports", f"{name}=ALL-UNNAMED"]
    return [*command, "-cp", jars, "org.apache.catalina.startup.Bootstrap", "start"]
