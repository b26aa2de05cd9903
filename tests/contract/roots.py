"""Two root secrets: that of the deployment under test, and that of another."""

from __future__ import annotations

from adapters.keys.root_secret import RootSecret

ROOT = RootSecret(bytes(range(32)))
OTHER_ROOT = RootSecret(bytes(range(1, 33)))
