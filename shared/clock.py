"""The only place that reads the wall clock. Domain code is given the time; adapters take a `Clock`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

Clock = Callable[[], datetime]

SEOUL = timezone(timedelta(hours=9), "Asia/Seoul")  # Korea has had no daylight saving time since 1988.


def utc_now() -> datetime:
    """The present, UTC with zone."""
    return datetime.now(UTC)
