"""PostGIS: one set-based statement per batch; what was told is a table with a primary key. Distances on the sphere."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tests.bench.peers.shell import Open, Pair, Peer, Place, main

SCHEMA = """
CREATE EXTENSION postgis;
CREATE TABLE posting (id text PRIMARY KEY, place geography(point) NOT NULL);
CREATE TABLE citizen (id text PRIMARY KEY, place geography(point) NOT NULL) WITH (fillfactor = 50);
CREATE TABLE told (citizen text, posting text, PRIMARY KEY (citizen, posting));
CREATE INDEX ON posting USING gist (place);
CREATE INDEX ON citizen USING gist (place);
"""
SEE = """
WITH fix AS MATERIALIZED (
  SELECT c, st_makepoint(lon, lat)::geography AS place FROM unnest($1::text[], $2::float8[], $3::float8[]) AS f(c, lon, lat)
), hit AS (
  SELECT f.c, p.id, min(st_distance(f.place, p.place, false)) AS metres
  FROM fix f JOIN posting p ON st_dwithin(p.place, f.place, 700, false) GROUP BY 1, 2
), fresh AS (INSERT INTO told SELECT c, id FROM hit ON CONFLICT DO NOTHING RETURNING citizen, posting)
SELECT h.c, h.id, h.metres FROM fresh f JOIN hit h ON h.c = f.citizen AND h.id = f.posting
"""
MOVE = """
INSERT INTO citizen SELECT DISTINCT ON (c) c, st_makepoint(lon, lat)::geography
FROM unnest($1::text[], $2::float8[], $3::float8[]) WITH ORDINALITY AS f(c, lon, lat, n) ORDER BY c, n DESC
ON CONFLICT (id) DO UPDATE SET place = excluded.place
"""
OPEN = """
INSERT INTO posting SELECT p, st_makepoint(lon, lat)::geography
FROM unnest($1::text[], $2::float8[], $3::float8[]) AS f(p, lon, lat) ON CONFLICT DO NOTHING
"""
AROUND = """
WITH hit AS (
  SELECT c.id AS c, p.id AS p, st_distance(c.place, p.place, false) AS metres
  FROM posting p JOIN citizen c ON st_dwithin(c.place, p.place, 700, false) WHERE p.id = any($1::text[])
), fresh AS (INSERT INTO told SELECT c, p FROM hit ON CONFLICT DO NOTHING RETURNING citizen, posting)
SELECT h.c, h.p, h.metres FROM fresh f JOIN hit h ON h.c = f.citizen AND h.p = f.posting
"""


class Postgis(Peer):
    async def open(self) -> None:
        self._db = await asyncpg.connect(self.config["postgis_url"])
        await self._db.execute(SCHEMA)

    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]:
        ids = [p.id for p in opened]
        await self._db.execute(OPEN, ids, [p.at.lon for p in opened], [p.at.lat for p in opened])
        if len(opened) > 500:
            await self._db.execute("ANALYZE posting")
        return [Pair(*row) for row in await self._db.fetch(AROUND, ids)]

    async def places(self, places: Sequence[Place]) -> Sequence[Pair]:
        columns = [p.citizen_id for p in places], [p.lon for p in places], [p.lat for p in places]
        async with self._db.transaction():
            await self._db.execute(MOVE, *columns)
            return [Pair(*row) for row in await self._db.fetch(SEE, *columns)]


if __name__ == "__main__":
    main(Postgis)
