"""A bare argon2id hash and its verification, with the library's own call."""

from collections.abc import Callable

from argon2 import PasswordHasher, Type


def check(memory_kib: int, passes: int, lanes: int, password: str) -> Callable[[], bool]:
    """A call that verifies the password once."""
    hasher = PasswordHasher(passes, memory_kib, lanes, type=Type.ID)
    stored = hasher.hash(password)
    return lambda: hasher.verify(stored, password)
