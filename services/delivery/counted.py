"""How many requests of a minute came from whom, in this process."""

from __future__ import annotations

MOST_REMEMBERED = 100_000


class Counted:
    """Requests of this minute by citizen; forgotten when the minute is over."""

    def __init__(self) -> None:
        self._minute, self._counts = 0, dict[str, int]()

    def one_more(self, who: str, minute: int) -> int:
        if minute != self._minute or len(self._counts) >= MOST_REMEMBERED:
            self._minute, self._counts = minute, {}
        self._counts[who] = self._counts.get(who, 0) + 1
        return self._counts[who]
