"""The state folder, and the stores that it and the settings lead to."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from adapters.keys.wrapping import wrappers_of
from adapters.settings import Settings
from adapters.stores import Stores, Terms, open_stores
from adapters.stores.guard import KnownStores

_log = structlog.get_logger(__name__)


class CannotStart(ValueError):
    """No broker can be made of these settings and plug-ins; the sentence says why."""


async def opened_stores(settings: Settings, *, confirmed: bool = False) -> Stores:
    """The stores that the settings name, opened by their wrapping keys; without a broker.

    A Redis that lost its data is refused, unless the loss was ``confirmed``.

    Raises CannotStart, StoreRefused, WrappingKeyError and Unavailable.
    """
    make_private_folder(settings.state_dir)
    url, known = settings.store_url, KnownStores(settings.state_dir)
    terms = Terms(
        expected=None if confirmed else known.id_of(url),
        require_durable=settings.store.require_durable,
        wait_replicas=settings.store.wait_replicas,
        events_kept=settings.events.keep,
    )
    try:
        stores = await open_stores(url, *wrappers_of(settings), terms=terms)
    except ValueError as error:
        raise CannotStart(f"store.url: {error}") from None
    if stores.slots is not None:  # else nothing outlives this process
        if terms.expected not in (None, stores.deployment.store_id):
            _log.warning("the store was made anew since it was last used from here")
        known.remember(url, stores.deployment.store_id)
    return stores


def make_private_folder(path: Path) -> None:
    """Raises CannotStart for a folder that somebody else could have filled."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found, user = path.stat(), os.geteuid()
    if found.st_mode & 0o022 or (found.st_uid not in (user, 0) and user != 0):
        raise CannotStart(
            f"{path} belongs to another user or can be written by others; "
            "give the broker a folder of its own, with mode 0700"
        )
