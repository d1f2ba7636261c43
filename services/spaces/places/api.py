"""Routes of places: libraries with their hours, for anybody."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import Row

from services.spaces.calendars.api import days_from
from services.spaces.calendars.domain import Hours, Rules, open_spans
from services.spaces.calendars.models import HoursBody, RestView, SpanView
from services.spaces.calendars.reading import read_rest
from services.spaces.calendars.rest import Holidays
from services.spaces.calendars.store import holidays
from services.spaces.places import store
from services.spaces.places.domain import PlaceKind
from shared.clock import SEOUL
from shared.publishing import UseParts

router = APIRouter(prefix="/places", tags=["장소 places"])


class PlaceView(BaseModel):
    """A place as anybody sees it; `today` is when it is open on this day of Asia/Seoul."""

    id: UUID
    kind: PlaceKind
    name: str
    about: str
    address: str | None
    lat: float
    lon: float
    seats: int
    phone: str
    homepage: str
    hours: HoursBody
    rest: RestView
    today: list[SpanView]

    @classmethod
    def of(cls, row: Row[Any], day: date, known: Holidays) -> PlaceView:
        span, rest = days_from(day, 1), read_rest(row.rest_text)
        hours = Hours.of_kept(row.hours)
        open_ = open_spans(Rules(hours, rest, known), span.starts_at, span.ends_at)
        names = ("id", "kind", "name", "about", "address", "lat", "lon", "seats", "phone", "homepage")
        return cls(
            **{name: getattr(row, name) for name in names}, hours=HoursBody.of(hours), rest=RestView.of(rest),
            today=[SpanView.of(one) for one in open_],
        )  # fmt: skip


@router.get("", summary="장소 목록 Places that are open to everybody")
async def list_places(
    parts: UseParts, kind: PlaceKind | None = None, limit: Annotated[int, Query(ge=1, le=1_000)] = 200
) -> list[PlaceView]:
    today = parts.clock().astimezone(SEOUL).date()
    async with parts.database.transaction() as tx:
        known, rows = await holidays(tx), await store.listed(tx, kind, limit)
    return [PlaceView.of(row, today, known) for row in rows]
