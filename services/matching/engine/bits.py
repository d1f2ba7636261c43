"""Words and times as columns hold them: a bit for a kind or an interest, an integer for a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.matching.engine.tables import SHARED_BIT

KIND_BITS = {"job": 1, "space": 2, "notice": 4}
START = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    return (at - START) // timedelta(milliseconds=1)


def to_us(at: datetime) -> int:
    return (at - START) // timedelta(microseconds=1)


class InterestBits:
    """A bit for each interest; from the 63rd on they share the last, and sets must be compared too."""

    def __init__(self) -> None:
        self._bit: dict[str, int] = {}

    def mask(self, interests: tuple[str, ...]) -> int:
        result = 0
        for interest in interests:
            result |= 1 << min(SHARED_BIT, self._bit.setdefault(interest, len(self._bit)))
        return result
