"""``python -m adapters.cli`` is ``remint``."""

from adapters.cli import main

main()
