"""Certificate authorities of clients: their rules, in the store, and what they have revoked."""
