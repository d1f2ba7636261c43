"""The table of spaces; the statements on it are those of every offer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, Integer, Row, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.facilities.domain import Space, Terms
from shared.offers.store import OfferStore, Time, offer_table, place_columns, place_of, row_of_place

space = offer_table(
    "space", *place_columns(),
    Column("headline", Text), Column("description", Text), Column("space_kind", Text), Column("capacity", Integer),
    Column("price_krw", Integer), Column("price_per", Text), Column("accessibility", Text),
    Column("opens_at", Time), Column("closes_at", Time), Column("units", Integer), Column("amenities", ARRAY(Text)),
    Column("photos", ARRAY(Text)), Column("before_min", Integer), Column("after_min", Integer),
    Column("min_minutes", Integer), Column("max_minutes", Integer), Column("lead_minutes", Integer),
    Column("ahead_days", Integer), Column("approval", Text),
)  # fmt: skip


def _row_of(terms: Terms) -> dict[str, Any]:
    row = asdict(terms)
    del row["place"]
    row["amenities"], row["photos"] = list(terms.amenities), list(terms.photos)
    return row | row_of_place(terms.place)


def _terms_of(row: Row[Any]) -> Terms:
    return Terms(
        row.headline, row.description, place_of(row), row.radius_m, row.space_kind, row.capacity, row.price_krw,
        row.price_per, row.accessibility, tuple(row.interests), row.opens_at, row.closes_at, row.expires_at, row.units,
        tuple(row.amenities), tuple(row.photos), row.before_min, row.after_min, row.min_minutes, row.max_minutes,
        row.lead_minutes, row.ahead_days, row.approval,
    )  # fmt: skip


spaces = OfferStore(space, _row_of, _terms_of)


async def lock_space(tx: AsyncConnection, id_: UUID) -> Space | None:
    """One space's bookings are decided one after another. It does not hinder rows that only refer to the space."""
    row = (await tx.execute(select(space).where(space.c.id == id_).with_for_update(key_share=True))).first()
    return None if row is None else spaces.offer_of(row)
