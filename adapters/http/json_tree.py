"""``/json``: AM's tree of realm resources, each handed to the part that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from adapters.components import Components
from adapters.http import realm_path
from adapters.http.administration import UserAdministration
from adapters.http.authenticate import Authenticate
from adapters.http.authentication import AuthenticationAdministration
from adapters.http.call import Call, Reply
from adapters.http.certificate_authorities import authority_administration
from adapters.http.keys import KeyAdministration
from adapters.http.realms import RealmAdministration
from adapters.http.sessions import Logins
from adapters.http.trusted_issuers import issuer_administration
from broker.errors import MethodNotAllowed, NotFound
from broker.model import normal_realm
from broker.policy import shown

Resource = Callable[[Call, str, str], Awaitable[Reply]]


class JsonTree:
    def __init__(self, components: Components) -> None:
        self._components = components
        logins = Logins(components)
        self._realms = RealmAdministration(components)
        self._resources: dict[str, Resource] = {
            "authentication": AuthenticationAdministration(components).handle,
            "authenticate": Authenticate(components).handle,
            "sessions": logins.sessions,
            "users": UserAdministration(components, logins).handle,
            "keys": KeyAdministration(components).handle,
            "trusted-issuers": issuer_administration(components).handle,
            "certificate-authorities": authority_administration(components).handle,
            "serverinfo": self._server_info,
        }

    async def handle(self, call: Call) -> Reply:
        found = realm_path.split(call.path, frozenset(self._resources))
        if found is None:
            # AM has had realms at the top, and since version 5 under its global configuration.
            path = call.path.strip("/").removeprefix("global-config/")
            segments = [segment for segment in path.split("/") if segment]
            if segments[:1] == ["realms"] and len(segments) <= 2:
                return await self._realms.handle(call, "".join(segments[1:]))
            raise NotFound("there is no such resource")
        realm, resource, rest = found
        if "realm" in call.query:
            realm = normal_realm(f"{realm}/{call.query['realm']}")
        if not await self._components.realm_exists(realm):
            raise NotFound(f"there is no realm {shown(realm)}")
        return await self._resources[resource](call, realm, rest)

    async def _server_info(self, call: Call, realm: str, rest: str) -> Reply:
        if call.method != "GET" or rest != "*":
            raise MethodNotAllowed("use GET /json/serverinfo/*", allow=["GET"])
        http = self._components.settings.http
        body: dict[str, Any] = {
            "_id": "*",
            "_rev": "0",
            "domains": [],
            "protectedUserAttributes": [],
            "cookieName": http.cookie_name,
            "secureCookie": http.tls != "off",
            "forgotPassword": "false",
            "forgotUsername": "false",
            "kbaEnabled": "false",
            "selfRegistration": "false",
            "lang": "en-US",
            "successfulUserRegistrationDestination": "default",
            "socialImplementations": [],
            "referralsEnabled": "false",
            "zeroPageLogin": {
                "enabled": True,
                "refererWhitelist": [],
                "allowedWithoutReferer": True,
            },
            "realm": realm,
            "xuiUserSessionValidationEnabled": True,
            "FQDN": call.header("Host"),
        }
        return Reply(body)
