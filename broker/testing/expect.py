"""Checks that hold under ``python -O`` too, where an assert statement vanishes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

E = TypeVar("E", bound=Exception)


def same(actual: object, expected: object) -> None:
    """Raises AssertionError unless they are equal."""
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def holds(promise: bool, sentence: str) -> None:
    """Raises AssertionError with the sentence unless the promise holds."""
    if not promise:
        raise AssertionError(sentence)


async def raises(error: type[E], work: Awaitable[object]) -> E:
    """The error that ``work`` raises; AssertionError if it raises none."""
    try:
        result = await work
    except error as raised:
        return raised
    raise AssertionError(f"expected {error.__name__}, got {result!r}")
