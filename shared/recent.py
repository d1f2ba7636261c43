"""Answers that many ask for at once, kept for a moment, so that a crowd asks the database once."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The newest `most` values, each for `for_s` seconds."""

    def __init__(self, *, for_s: float, most: int) -> None:
        self._for_s, self._most = for_s, most
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def put(self, key: K, value: V) -> None:
        self._kept[key] = time.monotonic() + self._for_s, value
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
