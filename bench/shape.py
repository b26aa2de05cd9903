"""Whether what was read from a file has the types that its dataclass names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def checked(instance: object) -> None:
    """Raises TypeError, with the name of the first field that is of another type than declared.

    An integer is also a float; a float is a finite one.
    """
    hints = get_type_hints(type(instance))
    for one in fields(instance):  # type: ignore[arg-type]  # the caller's is a dataclass
        if not _fits(getattr(instance, one.name), hints[one.name]):
            raise TypeError(f"{type(instance).__name__}.{one.name} is of another type")


def _fits(value: object, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, parts[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(
            _fits(key, parts[0]) and _fits(item, parts[1]) for key, item in value.items()
        )
    if hint in (int, float):
        return _is_number(value, hint)
    if not isinstance(value, hint):
        return False
    if is_dataclass(value):
        checked(value)
    return True


def _is_number(value: object, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | kind):
        return False
    return isinstance(value, int) or math.isfinite(value)  # type: ignore[arg-type]  # a float
