"""Every SQL statement about offers: one table per service, the same columns first, the service's own terms after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    bindparam,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.offers.domain import Offer, Place, Terms
from shared.offers.models import Listing

T = TypeVar("T", bound=Terms)
Time = DateTime(timezone=True)


def offer_table(name: str, *terms: Column[Any]) -> Table:
    """The table of one service's offers; its migration creates it."""
    return Table(
        name, MetaData(),
        Column("id", Uuid, primary_key=True), Column("version", Integer), Column("urgency_epoch", Integer),
        Column("status", Text), Column("closed_because", Text), Column("institution", Text), Column("posted_by", Text),
        Column("interests", ARRAY(Text)), Column("expires_at", Time),
        Column("created_at", Time), Column("changed_at", Time), *terms,
    )  # fmt: skip


def place_columns() -> tuple[Column[Any], ...]:
    return (
        Column("place_name", Text), Column("place_address", Text), Column("lat", Double), Column("lon", Double),
        Column("radius_m", Integer),
    )  # fmt: skip


def row_of_place(place: Place) -> dict[str, Any]:
    return {"place_name": place.name, "place_address": place.address, "lat": place.lat, "lon": place.lon}


def place_of(row: Row[Any]) -> Place:
    return Place(row.place_name, row.place_address, row.lat, row.lon)


class OfferStore(Generic[T]):
    """Offers in one table. `row_of` and `terms_of` translate the service's terms, all but interests and expiry."""

    def __init__(
        self, table: Table, row_of: Callable[[T], Mapping[str, Any]], terms_of: Callable[[Row[Any]], T]
    ) -> None:
        self._table, self._row_of, self._terms_of = table, row_of, terms_of

    async def add(self, tx: AsyncConnection, offer: Offer[T]) -> None:
        await tx.execute(insert(self._table).values(self._whole_row(offer)))

    async def add_many(self, tx: AsyncConnection, offers: Sequence[Offer[T]]) -> None:
        await tx.execute(insert(self._table), [self._whole_row(offer) for offer in offers])

    async def get(self, tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Offer[T] | None:
        query = select(self._table).where(self._table.c.id == id_)
        row = (await tx.execute(query.with_for_update() if for_update else query)).first()
        return None if row is None else self.offer_of(row)

    async def save(self, tx: AsyncConnection, offer: Offer[T]) -> None:
        """The row was read for update in this transaction, so its version is the one the change was made on."""
        await tx.execute(update(self._table).where(self._table.c.id == offer.id).values(self._whole_row(offer)))

    async def save_many(self, tx: AsyncConnection, offers: Sequence[Offer[T]]) -> None:
        """As `save`, for many at once."""
        if offers:
            rows = [{**self._whole_row(offer), "which": offer.id} for offer in offers]
            await tx.execute(update(self._table).where(self._table.c.id == bindparam("which")), rows)

    async def newest(
        self, tx: AsyncConnection, wanted: Listing, *, after: tuple[datetime, UUID] | None, now: datetime
    ) -> list[Offer[T]]:
        """Newest first, from the cursor on; one more than the limit when there is more. Expired at exactly `now` is out."""
        table = self._table.c
        query = select(self._table).order_by(table.created_at.desc(), table.id.desc()).limit(wanted.limit + 1)
        if wanted.status != "all":
            query = query.where(table.status == wanted.status)
        if wanted.status == "open":
            query = query.where(table.expires_at > now)
        if wanted.institution is not None:
            query = query.where(table.institution == wanted.institution)
        if wanted.interest is not None:
            query = query.where(table.interests.any(wanted.interest))
        if after is not None:
            query = query.where(tuple_(table.created_at, table.id) < after)
        return [self.offer_of(row) for row in await tx.execute(query)]

    async def still_open(self, tx: AsyncConnection, after: UUID | None, limit: int, now: datetime) -> list[Offer[T]]:
        """What is offered now, by id from `after` on, each locked until the transaction ends."""
        table = self._table.c
        query = (
            select(self._table).where(table.status == "open", table.expires_at > now).order_by(table.id).limit(limit)
        )
        rows = await tx.execute((query if after is None else query.where(table.id > after)).with_for_update())
        return [self.offer_of(row) for row in rows]

    def _whole_row(self, offer: Offer[T]) -> dict[str, Any]:
        return {
            **self._row_of(offer.terms), "interests": list(offer.terms.interests), "expires_at": offer.terms.expires_at,
            "id": offer.id, "version": offer.version, "urgency_epoch": offer.urgency_epoch, "status": offer.status,
            "closed_because": offer.closed_because, "institution": offer.institution, "posted_by": offer.posted_by,
            "created_at": offer.created_at, "changed_at": offer.changed_at,
        }  # fmt: skip

    def offer_of(self, row: Row[Any]) -> Offer[T]:
        return Offer(
            row.id, row.version, row.urgency_epoch, row.status, row.closed_because, row.institution, row.posted_by,
            self._terms_of(row), row.created_at, row.changed_at,
        )  # fmt: skip
