"""Waiting in tests: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

LOOK_EVERY_S = 0.02
# Deadlines are for a quiet machine; a busy one gets so many times as much. Only a failing test ever waits for it.
PATIENCE = 3


@overload
async def until(condition: Callable[[], Awaitable[T | None]], deadline_s: float = ..., *, what: str = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], deadline_s: float = ..., *, what: str = ...) -> T: ...
async def until(condition: Callable[[], Any], deadline_s: float = 10.0, *, what: str = "") -> Any:
    """The condition's first true value; fails when the deadline passes without one, telling the last value."""
    ends = time.monotonic() + deadline_s * PATIENCE
    while True:
        outcome = condition()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if time.monotonic() > ends:
            raise AssertionError(f"not within {deadline_s * PATIENCE:g} s: {what or condition}; last seen {value!r}")
        await asyncio.sleep(LOOK_EVERY_S)
