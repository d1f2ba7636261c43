"""Which fixes may enter (M1, M3, M9). Pure: the time is passed in."""

from __future__ import annotations

from datetime import datetime, timedelta

TOO_OLD = timedelta(minutes=10)
CLOCK_SLACK = timedelta(hours=24)


def clamped(observed_at: datetime, now: datetime) -> datetime:
    """A future time is the server's present (M3)."""
    return min(observed_at, now)


def refusal(
    observed_at: datetime, accuracy_m: float, now: datetime, *, max_accuracy_m: float
) -> tuple[str, str] | None:
    """(rule, detail) if the fix must not enter, else None. The rim of each bound is inside."""
    if accuracy_m > max_accuracy_m:
        return "inaccurate", f"accuracy_m is over {max_accuracy_m:g} m"
    if now - observed_at > TOO_OLD:
        return "too-old", "observed_at is more than ten minutes ago"
    if observed_at - now > CLOCK_SLACK:
        return "clock", "observed_at is more than a day ahead: the device's clock is wrong"
    return None
