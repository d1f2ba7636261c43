"""What rows become: spaces that can be booked, or places. Each opens, edits and takes back in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars.store import put_calendars
from services.spaces.facilities import domain as offers
from services.spaces.facilities.domain import Space
from services.spaces.facilities.store import space as space_table
from services.spaces.facilities.store import spaces
from services.spaces.imports.domain import Row, RowError, Source
from services.spaces.imports.facilities import FACILITIES, Elsewhere, Wanted, wanted_of
from services.spaces.imports.libraries import LIBRARIES, Library, library_of
from services.spaces.imports.near import Known
from services.spaces.parts import SOURCE
from services.spaces.places import store as places
from services.spaces.places.domain import Place
from shared.auth import Principal
from shared.geo import District
from shared.messaging.outbox import emit_many
from shared.rules import Conflict, Refused

ROLLED_BACK = "가져오기를 되돌렸습니다"
OFFERED_FOR, RENEWED_BEFORE = timedelta(days=365), timedelta(days=60)
# A file tells these of a space; what else an officer decided about it stays when a row changes.
TOLD = ("headline", "description", "place", "capacity", "price_krw", "price_per", "amenities", "photos")
_SPACES = text("SELECT id, headline AS name, lat, lon FROM space WHERE status = 'open' AND expires_at > :now")
_BOOKED = text("""
    SELECT DISTINCT space_id FROM booking WHERE space_id = ANY(CAST(:ids AS uuid[])) AND ends_at > :now AND (
        state IN ('pending', 'confirmed', 'in_use') OR (state = 'held' AND hold_until > :now))
""")
_ENDING = text("""
    SELECT id FROM space WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'open' AND expires_at < :soon
""")
CLOSED, BOOKED = "닫혀 있습니다 / closed meanwhile", "예약이 있습니다 / somebody has booked it"


class Thing(Protocol):
    """What was read of a row."""

    @property
    def name(self) -> str: ...
    @property
    def spot(self) -> tuple[float, float]: ...
    @property
    def notes(self) -> tuple[RowError, ...]: ...


T = TypeVar("T", bound=Thing)
Things = Sequence[tuple[UUID, T]]


class Target(Protocol, Generic[T]):
    """Where rows of one source go. Ten thousand take as many statements as ten, but for what really changed."""

    source: Source

    def read(self, row: Row, district: District) -> T | Elsewhere | list[RowError]: ...
    async def known(self, tx: AsyncConnection, now: datetime) -> list[Known]: ...
    async def open_many(self, tx: AsyncConnection, things: Things[T], who: Principal, now: datetime) -> None: ...
    async def change_many(
        self, tx: AsyncConnection, things: Things[T], who: Principal, now: datetime
    ) -> dict[UUID, Refused]:
        """Those that may not be changed (any more), and why."""

    async def renew(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None:
        """The source still has them: they go on being offered."""

    async def staying(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> dict[UUID, str]:
        """Those that are not to be taken away, and why."""

    async def take_back(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None: ...


class Spaces:
    """Rows of 전국공공시설개방정보표준데이터 as spaces that an officer approves bookings of."""

    source = FACILITIES

    def read(self, row: Row, district: District) -> Wanted | Elsewhere | list[RowError]:
        return wanted_of(row, district)

    async def known(self, tx: AsyncConnection, now: datetime) -> list[Known]:
        return [Known(row.id, row.name, row.lat, row.lon) for row in await tx.execute(_SPACES, {"now": now})]

    async def open_many(self, tx: AsyncConnection, things: Things[Wanted], who: Principal, now: datetime) -> None:
        """New spaces with their calendars, and what is told of them."""
        if not things:
            return
        made = [
            offers.open_space(
                id_, wanted.draft.model_copy(update={"expires_at": now + OFFERED_FOR}).terms(now),
                institution=str(who.institution), posted_by=who.subject, now=now,
            )
            for id_, wanted in things
        ]  # fmt: skip
        await spaces.add_many(tx, made)
        await put_calendars(tx, [(id_, wanted.hours, wanted.rest) for id_, wanted in things], who.subject, now)
        await emit_many(tx, [offers.as_posting(space) for space in made], source=SOURCE, now=now)

    async def change_many(
        self, tx: AsyncConnection, things: Things[Wanted], who: Principal, now: datetime
    ) -> dict[UUID, Refused]:
        before, refused, after = await _locked(tx, [id_ for id_, _ in things]), dict[UUID, Refused](), list[Space]()
        for id_, wanted in things:
            try:
                after.append(_edited(before.get(id_), wanted, who, now))
            except Refused as error:
                refused[id_] = error
        changed = [space for space in after if space.version != before[space.id].version]
        await spaces.save_many(tx, changed)
        calendars = [(id_, wanted.hours, wanted.rest) for id_, wanted in things if id_ not in refused]
        await put_calendars(tx, calendars, who.subject, now)
        await emit_many(tx, [offers.as_posting(space) for space in changed], source=SOURCE, now=now)
        return refused

    async def renew(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None:
        soon = [row.id for row in await tx.execute(_ENDING, {"ids": list(ids), "soon": now + RENEWED_BEFORE})]
        later = {"expires_at": now + OFFERED_FOR}
        there = [space for space in (await _locked(tx, soon)).values() if space.terms.closes_at is None]
        renewed = [offers.edit(space, later, now) for space in there if space.status == "open"]
        await spaces.save_many(tx, renewed)
        await emit_many(tx, [offers.as_posting(space) for space in renewed], source=SOURCE, now=now)

    async def staying(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> dict[UUID, str]:
        there = await _locked(tx, ids)
        booked = {row.space_id for row in await tx.execute(_BOOKED, {"ids": list(ids), "now": now})}
        gone = {id_: CLOSED for id_ in ids if id_ not in there or there[id_].status == "closed"}
        return dict.fromkeys(booked, BOOKED) | gone

    async def take_back(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None:
        closed = [offers.close(space, ROLLED_BACK, now) for space in (await _locked(tx, ids)).values()]
        await spaces.save_many(tx, closed)
        await emit_many(tx, [offers.as_posting(space) for space in closed], source=SOURCE, now=now)


async def _locked(tx: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Space]:
    """Spaces in the order of their ids, as everybody locks them."""
    query = select(space_table).where(space_table.c.id.in_(list(ids))).order_by(space_table.c.id)
    rows = await tx.execute(query.with_for_update(key_share=True))
    return {row.id: spaces.offer_of(row) for row in rows}


def _edited(before: Space | None, wanted: Wanted, who: Principal, now: datetime) -> Space:
    if before is None:
        raise Conflict("space", "gone", "그 공간이 없습니다 / the space is gone")
    if before.institution != who.institution:
        raise Conflict("space", "not-yours", "다른 기관의 공간입니다 / it is another institution's space")
    told = wanted.draft.terms(now)
    return offers.edit(before, {name: getattr(told, name) for name in TOLD}, now)


class Libraries:
    """Rows of 전국도서관표준데이터 as places."""

    source = LIBRARIES

    def read(self, row: Row, district: District) -> Library | Elsewhere | list[RowError]:
        return library_of(row, district)

    async def known(self, tx: AsyncConnection, now: datetime) -> list[Known]:
        return [Known(row.id, row.name, row.lat, row.lon) for row in await places.spots(tx)]

    async def open_many(self, tx: AsyncConnection, things: Things[Library], who: Principal, now: datetime) -> None:
        await places.put_many(tx, [_place(id_, library) for id_, library in things], str(who.institution), now)

    async def change_many(
        self, tx: AsyncConnection, things: Things[Library], who: Principal, now: datetime
    ) -> dict[UUID, Refused]:
        await self.open_many(tx, things, who, now)
        return {}

    async def renew(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None:
        """A place does not expire."""

    async def staying(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> dict[UUID, str]:
        return {}

    async def take_back(self, tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> None:
        await places.remove(tx, ids)


def _place(id_: UUID, one: Library) -> Place:
    return Place(
        id_, "library", one.name, one.library_kind, one.address, one.lat, one.lon, one.seats, one.phone, one.homepage,
        one.hours, one.rest,
    )  # fmt: skip


TARGETS: dict[str, Target[Any]] = {"facilities": Spaces(), "libraries": Libraries()}
