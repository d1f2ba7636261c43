"""Routes of availability: free times of many spaces, of one, and what is free now around a point."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends

from services.spaces.availability import store
from services.spaces.availability.domain import FreeTime, SpaceTimes, free_from_now
from services.spaces.availability.models import (
    FreeList,
    NearList,
    NearView,
    SpaceFree,
    SpaceFreeNow,
    WantedList,
    WantedNear,
    WantedRange,
)
from services.spaces.bookings.domain import this_minute
from services.spaces.calendars.domain import Span
from services.spaces.parts import SpacesParts, UseSpaces
from shared.auth import current_principal
from shared.contracts.alert import distance_bucket_m
from shared.geo import haversine_m
from shared.web.paging import decode_cursor, encode_cursor
from shared.web.problems import not_found

router = APIRouter(tags=["빈 시간 availability"], dependencies=[Depends(current_principal)])
DAY = timedelta(days=1)


def _age(parts: SpacesParts, as_of: datetime) -> dict[str, Any]:
    return {"as_of": as_of, "age_s": round(max(0.0, (parts.clock() - as_of).total_seconds()), 3)}


@router.get("/availability", summary="빈 시간 Free times of many spaces, in one query")
async def list_free(parts: UseSpaces, wanted: WantedList) -> FreeList:
    now, after = parts.clock(), decode_cursor(wanted.cursor)
    asked, late_s, limit = wanted.span(now), parts.settings.spaces_checkin_late_s, wanted.limit
    async with parts.database.statement() as tx:
        found = await store.times_listed(
            tx, asked, now, late_s, institution=wanted.institution, kind=wanted.space_kind, after=after, limit=limit
        )
    items = [SpaceFree.of(times, asked, now) for times in found[:limit]]
    last = found[limit - 1].space if len(found) > limit else None
    cursor = None if last is None else encode_cursor(last.created_at, last.id)
    return FreeList(since=asked.starts_at, until=asked.ends_at, items=items, next_cursor=cursor, **_age(parts, now))


@router.get("/spaces/{space_id}/availability", summary="공간의 빈 시간 Free times of one space")
async def get_free(space_id: UUID, parts: UseSpaces, wanted: WantedRange) -> SpaceFreeNow:
    now = parts.clock()
    asked = wanted.span(now)
    async with parts.database.statement() as tx:
        found = await store.times_of(tx, [space_id], asked, now, parts.settings.spaces_checkin_late_s)
    if not found:
        raise not_found("space")
    return SpaceFreeNow(space=SpaceFree.of(found[0], asked, now), **_age(parts, now))


@router.get("/free-now", summary="지금 비어 있는 곳 Free now around a point, the nearest first")
async def list_free_now(parts: UseSpaces, near: WantedNear) -> NearList:
    """Straight from the booking engine's tables: what is listed can be booked at once. The point is kept nowhere."""
    now = parts.clock()
    today = Span(this_minute(now), this_minute(now) + DAY)
    async with parts.database.statement() as tx:
        found = await store.times_near(
            tx, near.lat, near.lon, near.radius_m, today, now, parts.settings.spaces_checkin_late_s,
            kind=near.space_kind,
        )  # fmt: skip
    items: list[tuple[float, NearView]] = []
    for times in found:
        place = times.space.terms.place
        metres, free = haversine_m(near.lat, near.lon, place.lat, place.lon), free_from_now(times, now, near.minutes)
        if metres <= near.radius_m and free is not None:
            items.append((metres, _near(times, metres, free)))
    ordered = [view for _, view in sorted(items, key=lambda item: (item[0], str(item[1].space_id)))]
    return NearList(radius_m=near.radius_m, items=ordered, **_age(parts, now))


def _near(times: SpaceTimes, metres: float, free: FreeTime) -> NearView:
    terms = times.space.terms
    return NearView(
        space_id=times.space.id, headline=terms.headline, place=terms.place.name, lat=terms.place.lat,
        lon=terms.place.lon, distance_m=distance_bucket_m(metres), free_from=free.starts_at, free_until=free.ends_at,
        units=free.units, price_krw=terms.price_krw, price_per=terms.price_per, approval=terms.approval,
        link=f"/api/spaces/spaces/{times.space.id}",
    )  # fmt: skip
