"""SAML2: an assertion, issued (SAML 2.0 core, section 2.3.3).

``confirmation`` reads the caller's options, ``name_id`` says what the subject is called, ``writer``
writes the assertion, ``signature`` the XML signature in it and ``encryption`` what is encrypted of
it, all in canonical form through ``escape``; ``reader`` names an assertion that is shown again.
"""

from handlers import Handlers, Ports
from handlers.saml2.provider import Saml2Provider


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    return Handlers(provider=Saml2Provider(ports.pseudonym_key))
