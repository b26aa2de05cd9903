"""What is known of a certificate: lists first, then whoever can be asked about it alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.certificates import crl, lists, ocsp, pem
from adapters.certificates.crl import RevocationList, UnusableList
from adapters.certificates.fetching import FetchFailed, Http, allowed
from adapters.certificates.lists import KeptList
from adapters.certificates.ocsp import UnusableResponse, Verdict
from broker.authorities import Revocation

MAX_PLACES_OF_CERTIFICATES = 32
"""How many lists are kept that certificates named, besides those that the realm named."""

MAX_VERDICTS = 10_000
VERDICT_SECONDS = 3600.0
"""For how long a responder's word is kept at most."""

FAILURE_SECONDS = 5.0
"""For how long nobody asks again who could not be asked."""

_log = structlog.get_logger(__name__)

Place = tuple[bytes, int]
"""An issuer and a serial number."""


class RevocationSources:
    """Those of one authority, as its document names them."""

    def __init__(self, document: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._written = _written(document.get("crls", ""))
        self._named = [
            *(self._at(url) for url in document.get("crl_urls", ())),
            *(_in_file(path) for path in document.get("crl_files", ())),
        ]
        self._found: dict[str, KeptList] = {}
        self._responder: str = document.get("ocsp_url", "")
        self._hosts: tuple[str, ...] = tuple(document.get("revocation_hosts", ()))
        self._verdicts: dict[Place, Verdict] = {}
        self._failed: dict[str, float] = {}
        self._asking: dict[Place, asyncio.Task[Revocation]] = {}

    async def revocation(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        """As ``broker.authorities.ClientTrust`` has it."""
        by_list = await self._by_lists(certificate, issuer, now)
        if by_list is Revocation.REVOKED:
            return by_list
        by_responder = await self._by_responder(certificate, issuer, now)
        return by_list if by_responder is Revocation.UNREACHABLE else by_responder

    async def close(self) -> None:
        for each in (*self._named, *self._found.values()):
            await each.close()
        asking = [*self._asking.values()]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _by_lists(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        found = {await each.says(certificate, issuer, now) for each in self._written}
        for kept in (*self._named, *self._places_of(certificate)):
            found.add(await kept.says(certificate, issuer, now))
        for said in (Revocation.REVOKED, Revocation.GOOD):
            if said in found:
                return said
        return Revocation.UNREACHABLE

    def _places_of(self, certificate: x509.Certificate) -> list[KeptList]:
        """Where the certificate says its list is, if the realm lets it say so."""
        if not self._hosts:
            return []
        found = []
        for url in allowed(crl.points(certificate), self._hosts):
            if url not in self._found and len(self._found) < MAX_PLACES_OF_CERTIFICATES:
                self._found[url] = self._at(url)
            if url in self._found:
                found.append(self._found[url])
        return found

    async def _by_responder(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        place = issuer.public_bytes(Encoding.DER), certificate.serial_number
        known = self._verdicts.get(place)
        if known is not None and now < known.until:
            return known.found
        asking = self._asking.get(place)
        if asking is None and len(self._asking) >= lists.MAX_WAITING:
            return Revocation.UNREACHABLE
        if asking is None:
            asking = asyncio.create_task(self._learnt(place, certificate, issuer, now))
            self._asking[place] = asking
            asking.add_done_callback(lambda _: self._asking.pop(place, None))
        return await asyncio.shield(asking)  # one question for all who wait

    async def _learnt(
        self, place: Place, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        urls = [self._responder] if self._responder else []
        urls += allowed(ocsp.places(certificate), self._hosts)
        for url in dict.fromkeys(urls):
            verdict = await self._asked(url, certificate, issuer, now, self._verdicts.get(place))
            if verdict is not None:
                self._keep(place, verdict, now)
                return verdict.found
        return Revocation.UNREACHABLE

    async def _asked(
        self,
        url: str,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        now: float,
        known: Verdict | None,
    ) -> Verdict | None:
        if time.monotonic() < self._failed.get(url, 0.0):
            return None
        try:
            data = await self._http.answer_of(url, ocsp.request(certificate, issuer))
        except FetchFailed as error:
            if len(self._failed) >= MAX_PLACES_OF_CERTIFICATES:
                self._failed.clear()
            self._failed[url] = time.monotonic() + FAILURE_SECONDS
            _log.warning("an OCSP responder was not asked", place=url, why=str(error))
            return None
        try:
            return _no_older(ocsp.verdict(data, certificate, issuer, now), known)
        except UnusableResponse as error:
            _log.warning("an OCSP response does not count", place=url, why=str(error))
            return None

    def _keep(self, place: Place, verdict: Verdict, now: float) -> None:
        if len(self._verdicts) >= MAX_VERDICTS:
            self._verdicts.pop(next(iter(self._verdicts)))
        until = min(verdict.until, now + VERDICT_SECONDS)
        self._verdicts[place] = replace(verdict, until=until)

    def _at(self, url: str) -> KeptList:
        async def fetch() -> bytes:
            return await self._http.list_at(url)

        return KeptList(fetch, url, lists.FRESH_SECONDS)


def _no_older(verdict: Verdict, known: Verdict | None) -> Verdict:
    """Without a nonce an old response can be sent again as long as it is good. Raises
    UnusableResponse."""
    if known is not None and verdict.since < known.since:
        raise UnusableResponse("it is older than the one before")
    return verdict


def _in_file(path: str) -> KeptList:
    return KeptList(lists.from_file(Path(path)), path, lists.FILE_FRESH_SECONDS)


def _written(text: str) -> list[RevocationList]:
    """Lists that stand in the document; one that does not count is said to be so once."""
    found = []
    for each in pem.crls(text) if text else ():
        try:
            found.append(RevocationList(each))
        except UnusableList as error:
            _log.warning("a revocation list does not count", why=str(error))
    return found
