"""Remint's tests; each says its promise in a sentence."""
