"""What the index holds of a posting, and what of it is near a point. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Posting
from shared.contracts.alert import distance_bucket_m
from shared.contracts.base import Kind
from shared.geo import District, cell_of, covering_circle, geohash_of, haversine_m


@dataclass(frozen=True)
class IndexedPosting:
    """A posting as the index keeps it: its JSON, and under what it is found – cells by geohash, 행정동 by code."""

    id: str
    document: bytes
    cells: tuple[str, ...]


def indexed(posting: Posting, district: District) -> IndexedPosting:
    """A circle is found by the cell of its middle: what is near is so by the distance to it. Defaults are left out."""
    middles = {geohash_of(cell_of(circle.lat, circle.lon)) for circle in posting.where.circles}
    dongs = {district.by_code[code].code for code in posting.where.dongs if code in district.by_code}
    document = posting.model_dump_json(exclude_defaults=True).encode()
    return IndexedPosting(str(posting.id), document, tuple(sorted(middles | dongs)))


def asked_about(lat: float, lon: float, radius_m: float, district: District) -> list[str]:
    """Under what everything is found that may be within a radius of a point, or concern the 행정동 that it is in."""
    here = district.dong_at(lat, lon)
    cells = [geohash_of(cell) for cell in covering_circle(lat, lon, radius_m)]
    return [*cells, here.code] if here is not None else cells


@dataclass(frozen=True)
class Near:
    """An open posting near a point: its nearest place and the straight-line distance, or the 행정동 that holds the point."""

    posting: Posting
    distance_m: float | None
    lat: float | None
    lon: float | None
    dong: str | None


def near(
    postings: list[Posting],
    lat: float,
    lon: float,
    radius_m: float,
    kinds: frozenset[Kind],
    district: District,
    now: datetime,
) -> list[Near]:
    """What is open within `radius_m` (the rim is inside), nearest first; what concerns one's own 동 comes after."""
    here = district.dong_at(lat, lon)
    found = []
    for posting in postings:
        if posting.status != "open" or posting.expires_at <= now or posting.kind not in kinds:
            continue
        distances = [(haversine_m(lat, lon, c.lat, c.lon), c) for c in posting.where.circles]
        nearest = min(distances, key=lambda pair: pair[0], default=None)
        if nearest is not None and nearest[0] <= radius_m:
            found.append(Near(posting, nearest[0], nearest[1].lat, nearest[1].lon, None))
        elif here is not None and {here.code, here.old_code} & set(posting.where.dongs):
            found.append(Near(posting, None, None, None, here.name))
    return sorted(found, key=lambda n: (n.distance_m is None, n.distance_m or 0.0, str(n.posting.id)))


def shown_m(near: Near, lat: float, lon: float, radius_m: float) -> int | None:
    """The bucket that is shown: from the origin rounded to about 11 m, so that a finer one tells nothing more; never
    beyond the radius asked for.
    """
    if near.lat is None or near.lon is None:
        return None
    distance_m = haversine_m(round(lat, 4), round(lon, 4), near.lat, near.lon)
    return min(distance_bucket_m(distance_m), distance_bucket_m(radius_m))


def dong_name(posting: Posting, district: District) -> str | None:
    """The 동 that a posting's (first) place is in, or the one 동 that it is aimed at."""
    if posting.where.circles:
        first = posting.where.circles[0]
        found = district.dong_at(first.lat, first.lon)
        return found.name if found is not None else None
    codes = posting.where.dongs
    return district.by_code[codes[0]].name if len(codes) == 1 and codes[0] in district.by_code else None
