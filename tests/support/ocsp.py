"""A small OCSP responder, and a place for revocation lists, on a port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.support.pki import Holder

Respond = Callable[[ocsp.OCSPRequest], bytes]


@dataclass
class Responder:
    """Answers for one issuer. ``by`` signs, in the place of the issuer itself."""

    issuer: Holder
    url: str = ""
    by: Holder | None = None
    holders: dict[int, Holder] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    certificates: list[Holder] = field(default_factory=list)
    begins: float = -60
    ends: float | None = 600
    swap: Holder | None = None
    lists: dict[str, bytes] = field(default_factory=dict)
    broken: bytes | None = None
    status: int = 200
    asked: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    fetched: list[str] = field(default_factory=list)

    def knows(self, *holders: Holder) -> None:
        """It can be asked about these."""
        self.holders |= {each.certificate.serial_number: each for each in holders}

    def answer(self, request: ocsp.OCSPRequest) -> bytes:
        if self.broken is not None:
            return self.broken
        holder = self.swap or self.holders.get(request.serial_number)
        if holder is None:
            made = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
            return made.public_bytes(Encoding.DER)
        now = datetime.now(UTC)
        serial = holder.certificate.serial_number
        revoked = serial in self.revoked
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
        if serial in self.unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        by = self.by or self.issuer
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=holder.certificate,
            issuer=self.issuer.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303  # names the issuer, as the request does
            cert_status=status,
            this_update=now + timedelta(seconds=self.begins),
            next_update=None if self.ends is None else now + timedelta(seconds=self.ends),
            revocation_time=now - timedelta(seconds=30) if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        if self.certificates:
            builder = builder.certificates([each.certificate for each in self.certificates])
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)

    async def _respond(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.ready.wait()
        asked = ocsp.load_der_ocsp_request(await request.read())
        return web.Response(body=self.answer(asked), status=self.status)

    async def _list(self, request: web.Request) -> web.Response:
        self.fetched.append(request.path)
        await self.ready.wait()
        data = self.lists.get(request.path)
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data, status=self.status)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(self.url + "/list.crl")


@contextlib.asynccontextmanager
async def responding(issuer: Holder) -> AsyncIterator[Responder]:
    """A responder for an issuer: OCSP at ``/ocsp``, lists at their paths, a redirect to the list
    ``/list.crl`` at ``/elsewhere``."""
    responder = Responder(issuer)
    responder.ready.set()
    app = web.Application()
    app.router.add_post("/ocsp", responder._respond)
    app.router.add_get("/elsewhere", responder._elsewhere)
    app.router.add_get("/{path:.+}", responder._list)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    responder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield responder
    finally:
        await runner.cleanup()
