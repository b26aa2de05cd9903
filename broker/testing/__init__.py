"""For tests of this broker and of what plugs into it; standard library only.

- ``FrozenClock``, ``RecordingAuditSink``, ``RecordingEventSink``: fakes to hand in.
- ``an_instance()``, ``a_claim()``, …: valid objects, with any field changed by keyword.
- ``…Contract``: what every implementation of a store port must do. Inherit the class under a name
  that pytest collects, and give it a fixture ``stores``::

      class TestMyTokens(TokenStoreContract):
          ...

  with asyncio tests collected automatically (``asyncio_mode = auto``).
"""

from broker.testing.attempt_contract import AttemptStoreContract
from broker.testing.builders import (
    NOW,
    a_claim,
    a_factor,
    a_principal,
    a_record,
    a_session,
    a_user,
    an_announcement,
    an_answer,
    an_instance,
    an_instance_document,
)
from broker.testing.clock import FrozenClock
from broker.testing.configuration_contract import ConfigurationStoreContract
from broker.testing.factor_contract import FactorStoreContract
from broker.testing.fakes import OneByOne, RecordingAuditSink, RecordingEventSink
from broker.testing.instance_contract import InstanceStoreContract
from broker.testing.journal_contract import JournalContract
from broker.testing.ledger_contract import RequestLedgerContract
from broker.testing.outbox_contract import OutboxContract
from broker.testing.replay_contract import ReplayCacheContract
from broker.testing.session_contract import SessionStoreContract
from broker.testing.stores import StoresUnderTest
from broker.testing.token_contract import TokenStoreContract
from broker.testing.user_contract import UserStoreContract

__all__ = [
    "NOW",
    "AttemptStoreContract",
    "ConfigurationStoreContract",
    "FactorStoreContract",
    "FrozenClock",
    "InstanceStoreContract",
    "JournalContract",
    "OneByOne",
    "OutboxContract",
    "RecordingAuditSink",
    "RecordingEventSink",
    "ReplayCacheContract",
    "RequestLedgerContract",
    "SessionStoreContract",
    "StoresUnderTest",
    "TokenStoreContract",
    "UserStoreContract",
    "a_claim",
    "a_factor",
    "a_principal",
    "a_record",
    "a_session",
    "a_user",
    "an_announcement",
    "an_answer",
    "an_instance",
    "an_instance_document",
]
