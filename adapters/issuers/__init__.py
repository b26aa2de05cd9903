"""Issuers of ID tokens that realms trust: their rules, in the store, and their keys."""
