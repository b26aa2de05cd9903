"""``python -m tests.redis.older_broker``: ``remint`` that says to Redis what revision 3 said."""

from __future__ import annotations

from unittest.mock import patch

from adapters.cli import main
from tests.contract.redis_revision_3 import Revision3

if __name__ == "__main__":
    with patch("adapters.stores.redis.Commands", Revision3):
        main()
