"""Tile38, the open-source geofence server: SET per fix, one fence per posting. `out` is how alerts leave it:

`channel`: SETCHAN; this process subscribes and copies to Kafka. `hooks`: SETHOOK; Tile38 itself produces to Kafka.
`nearby`: for fan-out, opening a posting asks NEARBY. Fences tell again on re-entry, and nobody who is inside already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import hiredis
import msgspec

from shared.contracts.alert import ALERTS
from tests.bench.peers.geosearch import Command, Packed, pack
from tests.bench.peers.shell import Open, Pair, Peer, Place, Shell, main

FENCE = ("NEARBY", "citizens", "DISTANCE", "FENCE", "DETECT", "enter", "POINT")


class Notice(msgspec.Struct, gc=False):
    hook: str
    id: str
    distance: float = 0.0


_notice = msgspec.json.Decoder(Notice).decode


class Tile38(Peer):
    async def open(self) -> None:
        self._wire = Packed(self.config["tile38_url"])
        await self._wire.open()
        if self.config["out"] == "channel":
            self._relay = asyncio.create_task(self._copy())

    async def _copy(self) -> None:
        """What the channels tell, to Kafka, by a producer of its own."""
        url, replies = urlsplit(self.config["tile38_url"]), hiredis.Reader()
        inlet, outlet = await asyncio.open_connection(url.hostname, url.port, limit=1 << 20)
        outlet.write(pack(("PSUBSCRIBE", "p:*")))
        shell = Shell(self)
        await shell._producer.start()
        while data := await inlet.read(1 << 18):
            replies.feed(data)
            told: list[Pair] = []
            while (reply := replies.gets()) is not False:
                if reply[0] == b"pmessage":
                    notice = _notice(reply[3])
                    told.append(Pair(notice.id, notice.hook[2:], notice.distance))
            await shell.send(told)

    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]:
        if self.config["out"] == "nearby":
            near = ("NEARBY", "citizens", "LIMIT", "1000000", "DISTANCE", "POINTS", "POINT")
            looks: list[Command] = [(*near, str(p.at.lat), str(p.at.lon), "700") for p in opened]
            found: list[Any] = await self._wire.run(looks)
            hits = zip(opened, found, strict=True)
            return [Pair(hit[0].decode(), p.id, float(hit[-1])) for p, reply in hits for hit in reply[1]]
        to = f"kafka://{self.config['kafka_url']}/{ALERTS.name}"
        how: Command = ("SETHOOK", "", to) if self.config["out"] == "hooks" else ("SETCHAN", "")
        await self._wire.run(
            [(how[0], f"p:{p.id}", *how[2:], *FENCE, str(p.at.lat), str(p.at.lon), "700") for p in opened]
        )
        return []

    async def places(self, places: Sequence[Place]) -> Sequence[Pair]:
        await self._wire.run([("SET", "citizens", p.citizen_id, "POINT", str(p.lat), str(p.lon)) for p in places])
        return []


if __name__ == "__main__":
    main(Tile38)
