"""Redis: GEOSEARCH of open postings per fix, what was told in a set per citizen. `wire` is `packed` (hiredis alone) or `redis-py`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis.asyncio import Redis

from tests.bench.peers.shell import Open, Pair, Peer, Place, main

Command = tuple[str, ...]
pack: Any = hiredis.pack_command  # typed for commands of one word
REACH = ("BYRADIUS", "700", "m", "WITHDIST")


class Packed:
    """Commands packed by hiredis on one connection, one round trip at a time."""

    def __init__(self, url: str) -> None:
        self._url, self._replies = urlsplit(url), hiredis.Reader()

    async def open(self) -> None:
        host, port = self._url.hostname, self._url.port
        self._inlet, self._outlet = await asyncio.open_connection(host, port, limit=1 << 20)
        if self._url.password:
            await self.run([("AUTH", self._url.password)])

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        self._outlet.write(b"".join([pack(command) for command in commands]))
        found: list[Any] = []
        while len(found) < len(commands):
            self._replies.feed(await self._inlet.read(1 << 18))
            while (reply := self._replies.gets()) is not False:
                found.append(reply)
        failed = next((reply for reply in found if isinstance(reply, Exception)), None)
        if failed is not None:
            raise failed
        return found


class Client:
    """The same by redis-py's pipeline."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url)

    async def open(self) -> None:
        await self._redis.ping()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return await pipe.execute()


class Geosearch(Peer):
    async def open(self) -> None:
        self._redis = (Packed if self.config["wire"] == "packed" else Client)(self.config["redis_url"])
        await self._redis.open()

    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]:
        adds: list[Command] = [("GEOADD", "postings", str(p.at.lon), str(p.at.lat), p.id) for p in opened]
        looks: list[Command] = [
            ("GEOSEARCH", "citizens", "FROMLONLAT", str(p.at.lon), str(p.at.lat), *REACH) for p in opened
        ]
        found = (await self._redis.run(adds + looks))[len(adds) :]
        hits = zip(opened, found, strict=True)
        return await self._fresh([Pair(c.decode(), p.id, float(m)) for p, near in hits for c, m in near])

    async def places(self, places: Sequence[Place]) -> Sequence[Pair]:
        moves: list[Command] = [
            ("GEOADD", "citizens", *[part for p in places for part in (str(p.lon), str(p.lat), p.citizen_id)])
        ]
        looks: list[Command] = [("GEOSEARCH", "postings", "FROMLONLAT", str(p.lon), str(p.lat), *REACH) for p in places]
        found = (await self._redis.run(moves + looks))[1:]
        hits = zip(places, found, strict=True)
        return await self._fresh([Pair(p.citizen_id, q.decode(), float(m)) for p, near in hits for q, m in near])

    async def _fresh(self, pairs: list[Pair]) -> Sequence[Pair]:
        """Those not told before."""
        wanted: dict[str, dict[str, float]] = {}
        for citizen, posting, metres in pairs:
            wanted.setdefault(citizen, {})[posting] = metres
        if not wanted:
            return []
        known = await self._redis.run([("SMISMEMBER", f"seen:{c}", *qs) for c, qs in wanted.items()])
        fresh = {
            citizen: [q for q, flag in zip(qs, flags, strict=True) if not flag]
            for (citizen, qs), flags in zip(wanted.items(), known, strict=True)
        }
        adds = [("SADD", f"seen:{citizen}", *new) for citizen, new in fresh.items() if new]
        if adds:
            await self._redis.run(adds)
        return [Pair(citizen, q, wanted[citizen][q]) for citizen, new in fresh.items() for q in new]


if __name__ == "__main__":
    main(Geosearch)
