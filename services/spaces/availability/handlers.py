"""What is free instead: the same space at other times, other spaces at the same time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.availability import domain, store
from services.spaces.availability.domain import SpaceTimes
from services.spaces.bookings.models import Alternatives, OtherSpace, WindowView
from services.spaces.calendars.domain import Span
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from shared.contracts.alert import distance_bucket_m
from shared.geo import haversine_m

MOST_TIMES = 3
MOST_SPACES = 5
LOOK = timedelta(days=3)
NEAR_M = 2_000


async def alternatives_to(tx: AsyncConnection, space: Space, wanted: Span, parts: SpacesParts) -> Alternatives:
    """Two statements, whatever there is."""
    now, late_s = parts.clock(), parts.settings.spaces_checkin_late_s
    around = Span(max(now, wanted.starts_at - LOOK), wanted.ends_at + LOOK)
    (here,) = await store.times_of(tx, [space.id], around, now, late_s)
    windows = domain.nearest_windows(here, wanted, around, now, MOST_TIMES)
    place = space.terms.place
    near = await store.times_near(
        tx, place.lat, place.lon, NEAR_M, wanted, now, late_s, kind=space.terms.space_kind, most=50
    )
    others = [other for other in near if other.space.id != space.id and domain.is_free(other, wanted, now)]
    found = sorted((_other(other, space) for other in others), key=lambda o: (o.distance_m, o.headline))
    times = [WindowView(starts_at=w.starts_at, ends_at=w.ends_at) for w in windows]
    return Alternatives(other_times=times, other_spaces=found[:MOST_SPACES])


def _other(times: SpaceTimes, space: Space) -> OtherSpace:
    terms, here = times.space.terms, space.terms.place
    metres = haversine_m(here.lat, here.lon, terms.place.lat, terms.place.lon)
    return OtherSpace(
        space_id=times.space.id, headline=terms.headline, place=terms.place.name,
        distance_m=distance_bucket_m(metres), price_krw=terms.price_krw, price_per=terms.price_per,
        link=f"/api/spaces/spaces/{times.space.id}",
    )  # fmt: skip
