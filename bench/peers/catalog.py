"""Every peer, by the name that the command line knows it by."""

from __future__ import annotations

from collections.abc import Mapping

from bench.peers import Peer
from bench.peers.cxf import CxfSts
from bench.peers.keycloak import Keycloak
from bench.peers.oidc_provider import OidcProvider
from bench.peers.openam import OpenAm
from bench.peers.zitadel_oidc import ZitadelOidc

PEERS: Mapping[str, Peer] = {
    "oidc-provider": OidcProvider(),
    "keycloak": Keycloak(),
    "openam": OpenAm(),
    "openam-not-kept": OpenAm(kept=False),
    "cxf": CxfSts(),
    "cxf-soap": CxfSts(soap=True),
    "zitadel-oidc": ZitadelOidc(),
}
