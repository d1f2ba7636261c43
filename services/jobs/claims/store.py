"""Every SQL statement about claims and workers. Locks are taken in one order: the citizen, the posting, the claim."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims.domain import ASKING, COMING, PLACED, Claim, Load, Worker

_COLUMNS = tuple(field.name for field in fields(Claim))
_SET = ", ".join(f"{name} = :{name}" for name in _COLUMNS if name != "id")
_BLOCKED = "EXISTS (SELECT 1 FROM blocked WHERE kind = 'citizen' AND name = :citizen) AS blocked"

_LOCK_WORKER = text(f"""
    INSERT INTO worker (citizen_id) VALUES (:citizen) ON CONFLICT (citizen_id) DO UPDATE SET touched = worker.touched + 1
    RETURNING citizen_id, name, birth_year, guardian_consent, {_BLOCKED}
""")  # noqa: S608
_LOCK_WORKERS = text("""
    INSERT INTO worker (citizen_id) SELECT citizen FROM unnest(CAST(:citizens AS text[])) AS citizen ORDER BY citizen
    ON CONFLICT (citizen_id) DO UPDATE SET touched = worker.touched + 1
    RETURNING citizen_id, name, birth_year, guardian_consent,
        EXISTS (SELECT 1 FROM blocked WHERE kind = 'citizen' AND name = worker.citizen_id) AS blocked
""")
_TRY_WORKER = text(f"""
    SELECT citizen_id, name, birth_year, guardian_consent, {_BLOCKED} FROM worker WHERE citizen_id = :citizen
    FOR UPDATE SKIP LOCKED
""")  # noqa: S608
_WORKER = text(
    "SELECT citizen_id, name, birth_year, guardian_consent, false AS blocked FROM worker WHERE citizen_id = :citizen"
)
_PUT_WORKER = text("""
    INSERT INTO worker (citizen_id, name, birth_year, guardian_consent) VALUES (:citizen_id, :name, :birth_year, :guardian_consent)
    ON CONFLICT (citizen_id) DO UPDATE SET name = :name, birth_year = :birth_year, guardian_consent = :guardian_consent
""")
_ADD = text(f"INSERT INTO claim ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)})")  # noqa: S608
_SAVE = text(f"UPDATE claim SET {_SET} WHERE id = :id")  # noqa: S608
_GET = text("SELECT * FROM claim WHERE id = :id")
_LOCK = text("SELECT * FROM claim WHERE id = :id FOR UPDATE")
_OF_POSTING = text("SELECT * FROM claim WHERE posting_id = :posting ORDER BY created_at, id")
_HERE = text(
    "SELECT citizen_id FROM claim WHERE posting_id = :posting AND citizen_id = ANY(CAST(:citizens AS text[])) AND state = ANY(:states)"
)
_COMING = text(
    "SELECT * FROM claim WHERE citizen_id = ANY(CAST(:citizens AS text[])) AND state = ANY(:states) AND ends_at > :since"
)
_MONTHS = text(
    "SELECT citizen_id, month, sum(minutes) AS minutes, sum(pay_krw) AS krw FROM ledger "
    "WHERE citizen_id = ANY(CAST(:citizens AS text[])) AND month >= :since GROUP BY citizen_id, month"
)
_PAGE = text(
    "SELECT * FROM claim WHERE citizen_id = :citizen AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id)) "
    "ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_GLANCE = text("""
    SELECT a.ordinal, p.status, p.closed_because, p.starts_at > :now AS coming,
        EXISTS (SELECT 1 FROM idempotency_key k WHERE k.principal = a.principal AND k.key = a.key) AS known
    FROM unnest(CAST(:postings AS uuid[]), CAST(:principals AS text[]), CAST(:keys AS text[])) WITH ORDINALITY
        AS a(posting, principal, key, ordinal) JOIN posting p ON p.id = a.posting
""")
# Nearest first by the index; a degree of longitude is 0.8175 of one of latitude here. The caller orders exactly.
_NEAREST = text("""
    SELECT id, headline, place_name, lat, lon, starts_at, ends_at, pay_krw, pay_per, slots - taken AS free FROM posting
    WHERE status = 'open' AND expires_at > :now AND taken < slots AND id <> :posting
    ORDER BY point(lon * 0.8175, lat) <-> point(:x, :lat) LIMIT :limit
""")


def _claim(row: Row[Any]) -> Claim:
    return Claim(**{name: getattr(row, name) for name in _COLUMNS})


def _worker(row: Row[Any]) -> Worker:
    return Worker(row.citizen_id, row.name, row.birth_year, row.guardian_consent, row.blocked)


async def lock_worker(tx: AsyncConnection, citizen_id: str) -> Worker:
    """One citizen's claims are decided one after another."""
    return _worker((await tx.execute(_LOCK_WORKER, {"citizen": citizen_id})).one())


async def lock_workers(tx: AsyncConnection, citizens: Collection[str]) -> dict[str, Worker]:
    """The same for many, in the one order that all keep."""
    rows = await tx.execute(_LOCK_WORKERS, {"citizens": sorted(citizens)})
    return {row.citizen_id: _worker(row) for row in rows}


async def try_worker(tx: AsyncConnection, citizen_id: str) -> Worker | None:
    """As lock_worker, but None where another decision about them is under way."""
    row = (await tx.execute(_TRY_WORKER, {"citizen": citizen_id})).first()
    return None if row is None else _worker(row)


async def worker_of(tx: AsyncConnection, citizen_id: str) -> Worker:
    row = (await tx.execute(_WORKER, {"citizen": citizen_id})).first()
    return Worker(citizen_id) if row is None else _worker(row)


async def put_worker(tx: AsyncConnection, worker: Worker) -> None:
    await tx.execute(_PUT_WORKER, asdict(worker))


async def add(tx: AsyncConnection, claims: Sequence[Claim]) -> None:
    if claims:
        await tx.execute(_ADD, [asdict(claim) for claim in claims])


async def save(tx: AsyncConnection, claim: Claim) -> None:
    await tx.execute(_SAVE, asdict(claim))


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Claim | None:
    row = (await tx.execute(_LOCK if for_update else _GET, {"id": id_})).first()
    return None if row is None else _claim(row)


async def of_posting(tx: AsyncConnection, posting_id: UUID) -> list[Claim]:
    """Every claim ever made to a posting, the oldest first."""
    return [_claim(row) for row in await tx.execute(_OF_POSTING, {"posting": posting_id})]


async def claimants(tx: AsyncConnection, posting_id: UUID, citizens: Collection[str]) -> set[str]:
    """Which of the citizens have an open claim to the posting."""
    values = {"posting": posting_id, "citizens": list(citizens), "states": list(PLACED | ASKING)}
    return set((await tx.execute(_HERE, values)).scalars())


async def coming(
    tx: AsyncConnection, citizen_id: str, since: datetime, states: Collection[str] = COMING
) -> tuple[Claim, ...]:
    values = {"citizens": [citizen_id], "states": list(states), "since": since}
    return tuple(_claim(row) for row in await tx.execute(_COMING, values))


async def load_of(tx: AsyncConnection, citizen_id: str, since: datetime) -> Load:
    """What a citizen is going to work, and what they have worked by the ledger."""
    return (await loads_of(tx, [citizen_id], since))[citizen_id]


async def loads_of(tx: AsyncConnection, citizens: Collection[str], since: datetime) -> dict[str, Load]:
    """The same for many."""
    months = list(await tx.execute(_MONTHS, {"citizens": list(citizens), "since": f"{since:%Y-%m}"}))
    values = {"citizens": list(citizens), "states": list(COMING), "since": since}
    claims = [_claim(row) for row in await tx.execute(_COMING, values)]
    return {
        citizen: Load(
            tuple(claim for claim in claims if claim.citizen_id == citizen),
            tuple((row.month, int(row.minutes)) for row in months if row.citizen_id == citizen),
            tuple((row.month, int(row.krw)) for row in months if row.citizen_id == citizen),
        )
        for citizen in citizens
    }


async def page(tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Claim]:
    at, id_ = after or (None, None)
    rows = await tx.execute(_PAGE, {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1})
    return [_claim(row) for row in rows]


@dataclass(frozen=True)
class Look:
    """Who asks for a place, with the key of the request."""

    posting_id: UUID
    principal: str
    key: str


async def glance(connection: AsyncConnection, looks: Sequence[Look], now: datetime) -> list[Row[Any] | None]:
    """For each, a look without a lock: whether the posting is open, whether it is still to come, whether the request was
    answered before. None where there is no such posting.
    """
    values = {
        "postings": [one.posting_id for one in looks], "principals": [one.principal for one in looks],
        "keys": [one.key for one in looks], "now": now,
    }  # fmt: skip
    seen = {row.ordinal: row for row in await connection.execute(_GLANCE, values)}
    return [seen.get(ordinal) for ordinal in range(1, len(looks) + 1)]


async def nearest_open(
    tx: AsyncConnection, posting_id: UUID, lat: float, lon: float, now: datetime, limit: int
) -> list[Row[Any]]:
    values = {"posting": posting_id, "lat": lat, "x": lon * 0.8175, "now": now, "limit": limit}
    return list(await tx.execute(_NEAREST, values))
