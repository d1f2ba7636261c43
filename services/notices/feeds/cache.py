"""Rendered feeds, kept while nothing changed. One look at the database a second serves however many readers."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

Version = tuple[datetime | None, int]
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Kept:
    """A feed as it goes out. The ETag is of the bytes; `changed_at` is in whole seconds, as HTTP tells it."""

    body: bytes
    etag: str
    changed_at: datetime

    @property
    def last_modified(self) -> str:
        return format_datetime(self.changed_at, usegmt=True)


class Cache:
    """`look` tells the version of all feeds; when it moved, all are rendered anew as they are asked for."""

    def __init__(self, look: Callable[[], Awaitable[Version]], *, every_s: float, most: int) -> None:
        self._look, self._every_s, self._most = look, every_s, most
        self._looked_at = float("-inf")
        self._version: Version = (None, -1)
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._one_looks, self._one_renders = asyncio.Lock(), asyncio.Lock()
        self.rendered = 0

    async def get(self, key: Hashable, render: Callable[[], Awaitable[bytes]]) -> Kept:
        """The feed of that key, rendered if it is not kept."""
        if time.monotonic() - self._looked_at >= self._every_s:
            await self._catch_up()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        async with self._one_renders:  # what many ask for at once is rendered once
            return self._kept.get(key) or await self._render(key, render)

    async def _catch_up(self) -> None:
        if self._one_looks.locked() and self._kept:
            return  # somebody is looking; what is kept is a moment old at most
        async with self._one_looks:
            if time.monotonic() - self._looked_at < self._every_s:
                return
            found = await self._look()
            if found != self._version:
                self._version, self._kept = found, OrderedDict()
            self._looked_at = time.monotonic()

    async def _render(self, key: Hashable, render: Callable[[], Awaitable[bytes]]) -> Kept:
        version = self._version
        body = await render()
        changed_at = (version[0] or EPOCH).replace(microsecond=0)
        made = Kept(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', changed_at)
        self.rendered += 1
        if version == self._version:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
