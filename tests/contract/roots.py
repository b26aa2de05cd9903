"""Two root secrets: that of the deployment under test, and that of another."""

from __future__ import annotations

from adapters.keys.deployment import Deployment, DeploymentKey
from adapters.keys.root_secret import RootSecret

ROOT = RootSecret(bytes(range(32)))
OTHER_ROOT = RootSecret(bytes(range(1, 33)))
DEPLOYMENT = Deployment(DeploymentKey(bytes(range(2, 34))), "store")
