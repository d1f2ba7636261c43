"""What unit tests share."""

from __future__ import annotations

import pytest

from tests.engines import World, watch


@pytest.fixture
def world() -> World:
    """An engine that knows one citizen who wants everything within 2 km, and nothing open yet."""
    made = World()
    made.set(watch())
    return made
