"""What is said of a principal, in the relying party's words."""

from handlers.claims.mapper import ProfileClaimsMapper

__all__ = ["ProfileClaimsMapper"]
