"""The table of job postings; most statements on it are those of every offer."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Column, Integer, Row, Text, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings.domain import JobPosting, Terms
from shared.contracts.posting import Widening
from shared.offers.store import OfferStore, Time, offer_table, place_columns, place_of, row_of_place

posting = offer_table(
    "posting", *place_columns(),
    Column("headline", Text), Column("description", Text), Column("min_age", Integer),
    Column("starts_at", Time), Column("ends_at", Time), Column("pay_krw", Integer), Column("pay_per", Text),
    Column("slots", Integer), Column("urgent", Boolean), Column("category", Text), Column("approval", Text),
    Column("piece_minutes", Integer), Column("series_id", Uuid), Column("widen_steps_m", ARRAY(Integer)),
    Column("widen_every_s", Integer), Column("widen_began_at", Time), Column("not_for", ARRAY(Text)),
    Column("cancelled", Boolean),
)  # fmt: skip

_SIMILAR = text(
    "SELECT id, headline, lat, lon FROM posting WHERE status = 'open' AND institution = :institution "
    "AND expires_at > :now AND starts_at < :ends_at AND ends_at > :starts_at AND id <> :except_id "
    "AND abs(lat - :lat) < 0.002 AND abs(lon - :lon) < 0.002 ORDER BY created_at DESC LIMIT 50"
)
_TAKEN = text("SELECT taken FROM posting WHERE id = :id")
_SET_TAKEN = text("UPDATE posting SET taken = taken + :by WHERE id = :id RETURNING taken")
_EXPIRING = text(
    "UPDATE posting SET reminded_at = :now WHERE id IN (SELECT id FROM posting WHERE status = 'open' "
    "AND reminded_at IS NULL AND expires_at > :now AND expires_at <= :until AND created_at <= :since "
    "ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id"
)


def _row_of(terms: Terms) -> dict[str, Any]:
    row = asdict(terms)
    widening: Widening | None = row.pop("widening")
    del row["place"]
    row["not_for"] = list(terms.not_for)
    steps = {"widen_steps_m": None, "widen_every_s": None, "widen_began_at": None} if widening is None else {
        "widen_steps_m": list(widening.steps_m), "widen_every_s": widening.every_s, "widen_began_at": widening.began_at,
    }  # fmt: skip
    return row | row_of_place(terms.place) | steps


def _terms_of(row: Row[Any]) -> Terms:
    widening = None
    if row.widen_began_at is not None:
        widening = Widening(steps_m=tuple(row.widen_steps_m), every_s=row.widen_every_s, began_at=row.widen_began_at)
    return Terms(
        row.headline, row.description, place_of(row), row.radius_m, tuple(row.interests), row.min_age,
        row.starts_at, row.ends_at, row.expires_at, row.pay_krw, row.pay_per, row.slots, row.urgent, row.category,
        row.approval, row.piece_minutes, row.series_id, widening, tuple(row.not_for), row.cancelled,
    )  # fmt: skip


postings = OfferStore(posting, _row_of, _terms_of)


async def near_in_time_and_place(
    tx: AsyncConnection, terms: Terms, institution: str, now: datetime, *, except_id: UUID
) -> list[Row[Any]]:
    """Open postings of the institution within about 200 m whose work overlaps: id, headline, lat, lon."""
    values = {
        "institution": institution, "now": now, "starts_at": terms.starts_at, "ends_at": terms.ends_at,
        "except_id": except_id, "lat": terms.place.lat, "lon": terms.place.lon,
    }  # fmt: skip
    return list(await tx.execute(_SIMILAR, values))


async def taken_of(tx: AsyncConnection, posting_id: UUID) -> int:
    """How many places are taken; exact while the posting is locked."""
    return int((await tx.execute(_TAKEN, {"id": posting_id})).scalar_one())


async def take_places(tx: AsyncConnection, posting: JobPosting, by: int) -> int:
    """Count places taken (or, negative, freed). Returns how many are taken now."""
    return int((await tx.execute(_SET_TAKEN, {"id": posting.id, "by": by})).scalar_one())


async def expiring(tx: AsyncConnection, now: datetime, until: datetime, since: datetime) -> list[UUID]:
    """Postings whose poster is to be reminded, each once: open, expiring until then, not posted after `since`."""
    return list((await tx.execute(_EXPIRING, {"now": now, "until": until, "since": since})).scalars())
