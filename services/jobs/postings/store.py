"""Every SQL statement about job postings."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings.domain import JobPosting, Place, Terms

_metadata = MetaData()
_time = DateTime(timezone=True)

posting = Table(
    "posting", _metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer), Column("urgency_epoch", Integer), Column("urgent", Boolean),
    Column("status", Text), Column("closed_because", Text),
    Column("institution", Text), Column("posted_by", Text), Column("headline", Text), Column("description", Text),
    Column("place_name", Text), Column("place_address", Text), Column("lat", Double), Column("lon", Double),
    Column("radius_m", Integer), Column("interests", ARRAY(Text)), Column("min_age", Integer),
    Column("starts_at", _time), Column("ends_at", _time), Column("expires_at", _time),
    Column("pay_krw", Integer), Column("pay_per", Text), Column("slots", Integer),
    Column("created_at", _time), Column("changed_at", _time),
)  # fmt: skip


def _row_of(job: JobPosting) -> dict[str, Any]:
    terms = asdict(job.terms)
    place = terms.pop("place")
    return {
        **terms, "interests": list(job.terms.interests), "expires_at": job.expires_at,
        "place_name": place["name"], "place_address": place["address"], "lat": place["lat"], "lon": place["lon"],
        "id": job.id, "version": job.version, "urgency_epoch": job.urgency_epoch, "status": job.status,
        "closed_because": job.closed_because, "institution": job.institution, "posted_by": job.posted_by,
        "created_at": job.created_at, "changed_at": job.changed_at,
    }  # fmt: skip


def _job_of(row: Row[Any]) -> JobPosting:
    terms = Terms(
        row.headline, row.description, Place(row.place_name, row.place_address, row.lat, row.lon), row.radius_m,
        tuple(row.interests), row.min_age, row.starts_at, row.ends_at, row.expires_at, row.pay_krw, row.pay_per, row.slots, row.urgent,
    )  # fmt: skip
    return JobPosting(
        row.id, row.version, row.urgency_epoch, row.status, row.closed_because, row.institution, row.posted_by, terms,
        row.created_at, row.changed_at,
    )  # fmt: skip


async def add(tx: AsyncConnection, job: JobPosting) -> None:
    await tx.execute(insert(posting).values(_row_of(job)))


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> JobPosting | None:
    query = select(posting).where(posting.c.id == id_)
    row = (await tx.execute(query.with_for_update() if for_update else query)).first()
    return None if row is None else _job_of(row)


async def save(tx: AsyncConnection, job: JobPosting) -> None:
    """The row was read for update in this transaction, so its version is the one the change was made on."""
    await tx.execute(update(posting).where(posting.c.id == job.id).values(_row_of(job)))


async def newest(
    tx: AsyncConnection,
    *,
    status: str | None,
    institution: str | None,
    interest: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[JobPosting]:
    """Newest first, from the cursor on; one more than `limit` when there is more."""
    query = select(posting).order_by(posting.c.created_at.desc(), posting.c.id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(posting.c.status == status)
    if institution is not None:
        query = query.where(posting.c.institution == institution)
    if interest is not None:
        query = query.where(posting.c.interests.any(interest))
    if after is not None:
        query = query.where(tuple_(posting.c.created_at, posting.c.id) < after)
    return [_job_of(row) for row in await tx.execute(query)]
