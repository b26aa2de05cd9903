"""Custom tokens: types that an instance adds for itself, with plug-ins that check or issue them.

Their handlers are made per request by the registry, since which plug-in stands behind a type is for
each instance to say; the plug-in itself is made once.
"""

from handlers.custom.provider import CustomProviders
from handlers.custom.validator import CustomValidators

__all__ = ["CustomProviders", "CustomValidators"]
