"""Servers that the tests of several modules ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.authentication.am_server import Am, serving


@pytest.fixture
async def am() -> AsyncIterator[Am]:
    async with serving() as running:
        yield running
