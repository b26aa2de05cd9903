"""Places for batches: their bodies may be large, and so may what is made of them."""

from __future__ import annotations

from broker.errors import Unavailable

BATCHES_AT_ONCE = 4  # in each process: 16 MiB of body each, and its tokens


class Places:
    """A bounded number of places."""

    def __init__(self, limit: int = BATCHES_AT_ONCE) -> None:
        self._free = limit

    def visit(self) -> Place:
        """For a request that may come to need a place; it is given back in the end."""
        return Place(self)

    def take(self) -> None:
        """Raises Unavailable when all are taken."""
        if self._free == 0:
            raise Unavailable("the broker is at its limit of batches; ask again shortly")
        self._free -= 1

    def give_back(self) -> None:
        self._free += 1


class Place:
    """One request's, for as long as its ``with`` block lasts."""

    __slots__ = ("_places", "taken")

    def __init__(self, places: Places) -> None:
        self._places = places
        self.taken = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        if self.taken:
            self._places.give_back()

    def take(self) -> None:
        """Taken once, however often it is asked for. Raises Unavailable when all are taken."""
        if not self.taken:
            self._places.take()
            self.taken = True
