"""The floor: decode every fix and produce as many alerts as there are to be told, with no matching."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.peers.shell import Open, Pair, Peer, Place, main

POSTING = "00000000-0000-0000-0000-000000000000"


class Floor(Peer):
    owed = 0.0

    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]:
        return []

    async def places(self, places: Sequence[Place]) -> Sequence[Pair]:
        told: list[Pair] = []
        for place in places:
            self.owed += self.config["alerts_per_fix"]
            while self.owed >= 1:
                self.owed -= 1
                told.append(Pair(place.citizen_id, POSTING, 350.0))
        return told


if __name__ == "__main__":
    main(Floor)
