"""What a file does, in the caller's transaction: rows read, then opened, edited, offered for merging, or left as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Row as DbRow
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.imports import store
from services.spaces.imports.domain import Row, RowError
from services.spaces.imports.facilities import Elsewhere
from services.spaces.imports.models import (
    SHOWN_ERRORS,
    ImportReport,
    KeptThing,
    Mode,
    NearView,
    RollbackView,
    RowErrorView,
)
from services.spaces.imports.near import Known, Neighbours
from services.spaces.imports.targets import TARGETS, Target, Thing
from shared.auth import Principal
from shared.geo import district
from shared.publishing import Parts, Watch
from shared.rules import Conflict
from shared.telemetry import FEEDS_STALE
from shared.web.problems import Problem

UNFIT = "그 행은 이제 규칙에 맞지 않습니다 / the row no longer passes the rules"


@dataclass
class Plan:
    """What the rows come to."""

    target: Target[Any]
    new: list[tuple[Row, UUID, Thing]] = field(default_factory=list)
    changed: list[tuple[Row, Thing, DbRow[Any]]] = field(default_factory=list)
    near: list[tuple[Row, Thing, Known, float]] = field(default_factory=list)
    unchanged: list[UUID] = field(default_factory=list)
    elsewhere: int = 0
    errors: list[RowError] = field(default_factory=list)
    notes: list[RowError] = field(default_factory=list)


async def planned(
    tx: AsyncConnection, target: Target[Any], rows: Sequence[Row], errors: list[RowError], who: Principal, now: datetime
) -> Plan:
    """Every row for itself: unchanged, changed, new, nearly something known, elsewhere, or wrong and why."""
    institution, plan = str(who.institution), Plan(target, errors=list(errors))
    ids = {row.external_id: row for row in rows}
    known = await store.known(tx, institution, target.source.name, list(ids))
    neighbours = Neighbours(await target.known(tx, now))
    for external_id, row in ids.items():
        before = known.get(external_id)
        if before is not None and before.digest == row.digest():
            plan.unchanged.append(before.thing_id)
            continue
        thing = target.read(row, district())
        if isinstance(thing, Elsewhere):
            plan.elsewhere += 1
        elif isinstance(thing, list):
            plan.errors += thing
        else:
            plan.notes += thing.notes
            _place(plan, row, thing, before, neighbours)
    return plan


def _place(plan: Plan, row: Row, thing: Thing, before: DbRow[Any] | None, neighbours: Neighbours) -> None:
    if before is not None:
        plan.changed.append((row, thing, before))
        return
    near = neighbours.near_duplicate(thing.name, *thing.spot)
    if near is not None:
        plan.near.append((row, thing, *near))
    else:
        id_ = uuid4()
        plan.new.append((row, id_, thing))
        neighbours.add(Known(id_, thing.name, *thing.spot))


async def applied(tx: AsyncConnection, plan: Plan, mode: Mode, who: Principal, now: datetime) -> ImportReport:
    """Do what was planned, as far as the mode says; keep the report with it."""
    id_, institution, source = uuid4(), str(who.institution), plan.target.source.name
    steps: list[dict[str, Any]] = []
    if mode != "dry-run":
        steps = [_step(row, thing_id) for row, thing_id, _ in plan.new]
        await plan.target.open_many(tx, [(thing_id, thing) for _, thing_id, thing in plan.new], who, now)
        steps += await _edited(tx, plan, who, now)
        await plan.target.renew(tx, [*plan.unchanged, *(before.thing_id for _, _, before in plan.changed)], now)
        if mode == "all-or-nothing" and plan.errors:
            raise refusal(plan.errors)
    report = _report(id_, plan, mode)
    if mode != "dry-run":
        values = {"id": id_, "institution": institution, "source": source, "by": who.subject, "at": now}
        await store.add_import(tx, values, report.model_dump(mode="json"))
        await store.remember(tx, institution, source, id_, steps)
        await store.add_steps(tx, id_, steps)
        offers = [_offer(row, thing, near, distance) for row, thing, near, distance in plan.near]
        whose = {"institution": institution, "source": source, "import_id": id_, "at": now}
        news = await store.offer(tx, whose, offers) + len(steps)
        await store.fed(tx, institution, source, report.rows, now, news=news > 0)
    return report


async def _edited(tx: AsyncConnection, plan: Plan, who: Principal, now: datetime) -> list[dict[str, Any]]:
    """The changed rows' steps; a row whose thing may no longer be changed becomes an error."""
    things = [(before.thing_id, thing) for _, thing, before in plan.changed]
    refused = await plan.target.change_many(tx, things, who, now) if things else {}
    plan.errors += [
        RowError(row.line, "-", refused[before.thing_id].rule, refused[before.thing_id].detail)
        for row, _, before in plan.changed
        if before.thing_id in refused
    ]
    plan.changed = [one for one in plan.changed if one[2].thing_id not in refused]
    return [_step(row, before.thing_id, before) for row, _, before in plan.changed]


def _step(row: Row, thing_id: UUID, before: DbRow[Any] | None = None) -> dict[str, Any]:
    return {
        "external_id": row.external_id, "thing_id": thing_id, "digest": row.digest(), "row": dict(row.cells),
        "before": before and before.row, "before_digest": before and before.digest,
    }  # fmt: skip


def _offer(row: Row, thing: Thing, near: Known, distance_m: float) -> dict[str, Any]:
    return {
        "id": uuid4(), "external_id": row.external_id, "name": thing.name, "digest": row.digest(), "row": dict(row.cells),
        "near_id": near.id, "near_name": near.name, "distance_m": round(distance_m, 1),
    }  # fmt: skip


def _report(id_: UUID, plan: Plan, mode: Mode) -> ImportReport:
    errors = sorted(plan.errors, key=lambda e: (e.line, e.column, e.rule))
    counts = {
        "created": len(plan.new), "changed": len(plan.changed), "unchanged": len(plan.unchanged), "offered": len(plan.near),
        "elsewhere": plan.elsewhere, "refused": len({error.line for error in errors}),
    }  # fmt: skip
    near = [
        NearView(line=row.line, name=thing.name, near_id=known.id, near_name=known.name, distance_m=round(distance, 1))
        for row, thing, known, distance in plan.near[:SHOWN_ERRORS]
    ]
    return ImportReport.model_validate({
        "id": id_, "source": plan.target.source.name, "mode": mode, "applied": mode != "dry-run", "rows": sum(counts.values()),
        "errors": [RowErrorView(**asdict(error)) for error in errors[:SHOWN_ERRORS]],
        "notes": [RowErrorView(**asdict(note)) for note in plan.notes[:SHOWN_ERRORS]], "near": near, **counts,
    })  # fmt: skip


def refusal(errors: Sequence[RowError]) -> Problem:
    """All or nothing, and something is wrong: nothing was done."""
    told = [
        {"field": f"line {e.line}, {e.column}", "rule": e.rule, "detail": e.detail}
        for e in sorted(errors, key=lambda e: (e.line, e.column, e.rule))[:SHOWN_ERRORS]
    ]
    title = f"{len({e.line for e in errors})}개 행이 잘못되어 아무것도 올리지 않았습니다 / Nothing was imported"
    return Problem(422, "invalid", title, errors=told)


async def roll_back(tx: AsyncConnection, done: DbRow[Any], who: Principal, now: datetime) -> RollbackView:
    """New things are taken away, changed ones become what they were; what is booked, or closed meanwhile, stays."""
    target, steps = TARGETS[done.source], await store.steps_of(tx, done.id)
    stays = await target.staying(tx, [step.thing_id for step in steps if step.before is None], now)
    new = [step for step in steps if step.before is None and step.thing_id not in stays]
    await target.take_back(tx, [step.thing_id for step in new], now)
    former: list[tuple[DbRow[Any], Thing]] = []
    for step in (step for step in steps if step.before is not None):
        thing = target.read(Row(0, step.before, target.source), district())
        if isinstance(thing, Elsewhere | list):
            stays[step.thing_id] = UNFIT
        else:
            former.append((step, thing))
    refused = await target.change_many(tx, [(step.thing_id, thing) for step, thing in former], who, now)
    stays |= {id_: error.detail for id_, error in refused.items()}
    restored = [step for step, _ in former if step.thing_id not in stays]
    await store.restore(tx, done, [step.external_id for step in (*new, *restored)])
    await store.rolled_back(tx, done.id, now)
    kept = [KeptThing(id=id_, why=why) for id_, why in stays.items()]
    return RollbackView(id=done.id, removed=len(new), restored=len(restored), kept=kept)


async def decide(
    tx: AsyncConnection, offer: DbRow[Any], decision: Literal["merge", "separate"], who: Principal, now: datetime
) -> DbRow[Any]:
    """An officer's word on a near-duplicate. Raises Conflict where it was decided, or the row is no good any more."""
    if offer.decided is not None:
        raise Conflict("decision", "decided", "이미 결정했습니다 / decided already")
    target = TARGETS[offer.source]
    row = Row(0, offer.row, target.source)
    step = _step(row, offer.near_id if decision == "merge" else uuid4())
    if decision == "separate":
        thing = target.read(row, district())
        if isinstance(thing, Elsewhere | list):
            raise Conflict("decision", "row", UNFIT)
        await target.open_many(tx, [(step["thing_id"], thing)], who, now)
        await store.add_steps(tx, offer.import_id, [step])
    await store.remember(tx, offer.institution, offer.source, offer.import_id, [step])
    return await store.decide(tx, offer.id, decision, who.subject, now)


def stale_before(now: datetime, stale_days: float) -> datetime:
    """A feed whose last news is no later than this is stale."""
    return now - timedelta(days=stale_days)


def feeds_have_news(stale_days: float) -> Watch:
    """A check for /readyz: how many sources keep coming without anything new or changed. It also sets the metric."""

    async def check(parts: Parts) -> str | None:
        async with parts.database.statement() as connection:
            stale = await store.stale_feeds(connection, stale_before(parts.clock(), stale_days))
        FEEDS_STALE.labels("spaces").set(stale)
        return f"{stale} imported sources with rows and no news for {stale_days:g} days" if stale else None

    return check
