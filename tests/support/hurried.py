"""Leases and pauses of a moment, where a test would only wait for those of the product to run out.

``python -m tests.support.hurried serve`` is ``remint`` with them; ``hurry()`` is for other modules
of the tests that are processes, and :func:`quick_events` for brokers in the test's own process.
"""

from __future__ import annotations

import pytest

from adapters.cli import main
from adapters.events import announcer, cloudevents
from adapters.messages import suspects
from adapters.mqtt import slots, survivor
from broker import claiming

HURRIED = "tests.support.hurried"
"""This module, for a BrokerProcess."""

SLOT_LEASE_SECONDS = 3.0
"""Still several renewals long on a busy machine."""
SLOT_RENEW_SECONDS = 0.5
SUSPECT_LEASE_SECONDS = 1.0
CLAIM_LEASE_SECONDS = 1.5
LOOK_SECONDS = 0.25
EVENT_SECONDS = 2.0
SWEEP_SECONDS = 0.25


def hurry() -> None:
    """For the rest of this process, before a broker is built in it."""
    patch = pytest.MonkeyPatch()  # never undone
    quick_leases(patch)
    quick_events(patch)


def quick_leases(patch: pytest.MonkeyPatch) -> None:
    """What a dead broker held is soon another's."""
    patch.setattr(claiming, "LEASE_SECONDS", CLAIM_LEASE_SECONDS)
    patch.setattr(claiming, "RENEW_SECONDS", CLAIM_LEASE_SECONDS / 3)
    patch.setattr(slots, "LEASE_SECONDS", SLOT_LEASE_SECONDS)
    patch.setattr(slots, "RENEW_SECONDS", SLOT_RENEW_SECONDS)
    patch.setattr(survivor, "LOOK_SECONDS", LOOK_SECONDS)
    patch.setattr(suspects, "LEASE_SECONDS", SUSPECT_LEASE_SECONDS)


def quick_events(patch: pytest.MonkeyPatch) -> None:
    """What was not announced at once, or in vain, falls due again soon."""
    patch.setattr(cloudevents, "DUE_AFTER_SECONDS", EVENT_SECONDS)
    patch.setattr(announcer, "LEASE_SECONDS", EVENT_SECONDS)
    patch.setattr(announcer, "MAX_PAUSE_SECONDS", EVENT_SECONDS)
    defaults = announcer.Announcer.__init__.__kwdefaults__ or {}
    patch.setitem(defaults, "sweep_seconds", SWEEP_SECONDS)


if __name__ == "__main__":
    hurry()
    main()
