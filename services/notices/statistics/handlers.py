"""What happens to a statistic card, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels.domain import check_name
from services.notices.statistics import store
from services.notices.statistics.domain import Point, Statistic, checked, merged, revised
from services.notices.statistics.files import RowError
from services.notices.statistics.models import SHOWN_ERRORS, Mode, RowErrorView, SeriesReport, StatisticBody
from shared.auth import Principal
from shared.web.etags import stale
from shared.web.problems import Problem, not_found

TITLE = "요청이 규칙에 맞지 않습니다 / The request breaks a rule"


async def take(tx: AsyncConnection, id_: UUID, officer: Principal, version: int | None = None) -> Statistic:
    """The institution's own card, locked. 404, 403, and 412 where `version` is not current."""
    found = await store.get(tx, id_, for_update=True)
    if found is None:
        raise not_found("statistic")
    if found.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관의 통계입니다 / This statistic belongs to another institution")
    if version is not None and version != found.version:
        raise stale(found.version)
    return found


async def make(tx: AsyncConnection, body: StatisticBody, officer: Principal, now: datetime) -> Statistic:
    """A new card. Raises Refused."""
    institution = str(officer.institution)
    channel, about = body.channel or institution, body.about()
    check_name(channel, institution)
    points = checked(body.series(), about)
    made = Statistic(uuid4(), institution, channel, 1, about, points, body.as_of, officer.subject, now, now)
    await store.save(tx, made)
    return made


async def change(tx: AsyncConnection, before: Statistic, body: StatisticBody, now: datetime) -> Statistic:
    """Other words or figures: a revision, unless nothing is different. Raises Refused."""
    channel = body.channel or before.institution
    check_name(channel, before.institution)
    after = revised(before, body.about(), body.series(), body.as_of, now)
    if channel != before.channel:
        moved = after if after is not before else replace(before, version=before.version + 1, changed_at=now)
        after = replace(moved, channel=channel)
    if after is not before:
        await store.save(tx, after)
    return after


async def add_series(
    tx: AsyncConnection,
    before: Statistic,
    read: tuple[list[Point], list[RowError]],
    mode: Mode,
    as_of: date,
    now: datetime,
) -> SeriesReport:
    """Figures of a file join the series or replace what it said. Raises Refused, and a 422 problem for all-or-nothing."""
    points, errors = read
    if mode == "all-or-nothing" and errors:
        raise _refusal(errors)
    known = {(point.period, point.group): point.value for point in before.points}
    after = revised(before, before.about, merged(before.points, points), as_of, now) if points else before
    if mode != "dry-run" and after is not before:
        await store.save(tx, after)
    fresh = [point for point in points if (point.period, point.group) not in known]
    same = [point for point in points if known.get((point.period, point.group)) == point.value]
    return SeriesReport(
        mode=mode, applied=mode != "dry-run", rows=len(points) + len(errors), added=len(fresh), unchanged=len(same),
        changed=len(points) - len(fresh) - len(same), refused=len(errors),
        version=before.version if mode == "dry-run" else after.version,
        errors=[RowErrorView.of(error) for error in errors[:SHOWN_ERRORS]],
    )  # fmt: skip


def _refusal(errors: Sequence[RowError]) -> Problem:
    told = [{"field": f"line {e.line}, {e.column}", "rule": e.rule, "detail": e.detail} for e in errors[:SHOWN_ERRORS]]
    return Problem(422, "invalid", TITLE, errors=told)
