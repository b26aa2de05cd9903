"""OPAQUE: a reference token. It says nothing, works once, and ends after ten minutes.

This is the folder to copy for a token type of your own:

1.  Copy ``handlers/opaque`` to ``handlers/<yours>`` and put your name in place of ``opaque``,
    ``OPAQUE`` and ``Opaque`` wherever they stand.
2.  Add ``"handlers.<yours>",`` to ``TOKEN_TYPES`` in ``handlers/catalog.py``.
3.  Change what ``provider.py`` writes and what ``validator.py`` checks. Drop the one you don't
    need: a type with a validator alone is only accepted, one with a provider alone only issued.

An instance offers your type once one of its transforms names it.
"""

from handlers import Handlers, Ports
from handlers.opaque.provider import OpaqueProvider
from handlers.opaque.validator import OpaqueValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = OpaqueValidator(ports.tokens, ports.users, ports.issuers, ports.authorities)
    return Handlers(validator=validator, provider=OpaqueProvider())
