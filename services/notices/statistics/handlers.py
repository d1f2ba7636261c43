"""What happens to a statistic card, in the caller's transaction. The card's row is locked first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels import store as channels
from services.notices.channels.domain import check_name
from services.notices.statistics import domain, store
from services.notices.statistics.disclosure import entries_of
from services.notices.statistics.domain import About, Entry, Figure, Statistic, state_of
from services.notices.statistics.files import RowError, Series
from services.notices.statistics.models import (
    SHOWN_ERRORS,
    Mode,
    SeriesReport,
    StatisticBody,
    StatisticEdit,
    errors_of,
)
from services.notices.statistics.table import Card, card_of
from shared.auth import Principal
from shared.rules import Conflict, Refused
from shared.web.etags import stale
from shared.web.problems import Problem, not_found

TITLE = "요청이 규칙에 맞지 않습니다 / The request breaks a rule"


async def find(tx: AsyncConnection, id_: UUID) -> Card:
    """The card as anybody may see it. Raises a 404 problem."""
    found = await store.get(tx, id_)
    if found is None or found.withdrawn_at is not None:
        raise not_found("statistic")
    return (await cards(tx, [found]))[0]


async def cards(tx: AsyncConnection, statistics: Sequence[Statistic]) -> list[Card]:
    entries = await store.current(tx, [one.id for one in statistics])
    return [card_of(one, {entry.key: entry for entry in entries[one.id]}) for one in statistics]


async def take(tx: AsyncConnection, id_: UUID, officer: Principal, version: int | None = None) -> Statistic:
    """The institution's own card, locked, withdrawn or not. 404, 403, and 412 where `version` is not current."""
    found = await store.get(tx, id_, for_update=True)
    if found is None:
        raise not_found("statistic")
    if found.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관의 통계입니다 / This statistic belongs to another institution")
    if version is not None and version != found.version:
        raise stale(found.version)
    return found


async def make(tx: AsyncConnection, body: StatisticBody, officer: Principal, least: int, now: datetime) -> Card:
    """A new card, in a channel that is there from then on. Raises Refused."""
    institution, about = str(officer.institution), body.about()
    channel = body.channel or institution
    check_name(channel, institution)
    domain.check_as_of(body.as_of, now)
    figures = domain.checked(body.figures(about.every), about, body.as_of)
    groups = domain.ordered((), figures.values())
    made = Statistic(uuid4(), institution, channel, 1, about, groups, least, body.as_of, "", officer.subject, now, now)
    await _check_title(tx, made)
    await channels.add(tx, channel, institution, now)
    entries = entries_of([], figures, about.measure, least, 1)
    await store.save(tx, made, entries)
    return card_of(made, state_of(entries))


async def _check_title(tx: AsyncConnection, statistic: Statistic) -> None:
    if await store.titled(tx, statistic.channel, statistic.about.title, statistic.id) is not None:
        detail = "the channel has a card of this title, perhaps a withdrawn one: revise that"
        raise Conflict("title", "exists", detail)


async def rewrite(tx: AsyncConnection, before: Statistic, body: StatisticEdit, now: datetime) -> Card:
    """The whole card anew; a withdrawn one is there again. Nothing happens where nothing is different. Raises Refused."""
    about = replace(
        before.about, title=body.title, unit=body.unit, source=body.source, source_url=body.source_url, note=body.note
    )
    figures = body.figures(about.every)
    return (await revise(tx, before, about, figures, body.as_of, body.reason, now))[0]


async def revise(
    tx: AsyncConnection, before: Statistic, about: About, figures: Sequence[Figure], as_of: date, reason: str, now: datetime,
    *, keep: bool = True,
) -> tuple[Card, list[Entry]]:  # fmt: skip
    """The next version and what it makes different; kept unless `keep` is False. Raises Refused."""
    domain.check_as_of(as_of, now)
    by_key = domain.checked(figures, about, as_of)
    history = await store.history(tx, before.id)
    entries = entries_of(history, by_key, about.measure, before.least, before.version + 1)
    state = state_of(history)
    groups = domain.ordered(before.groups, figures)
    same = not entries and (about, as_of, groups) == (before.about, before.as_of, before.groups)
    if same and before.withdrawn_at is None:
        return card_of(before, state), []
    edited = domain.contradicts(state, entries)
    after = domain.moved_on(before, about, groups, as_of, reason, now, edited=edited)
    if keep:
        await _check_title(tx, after)
        await store.save(tx, after, entries)
    return card_of(after, state_of([*history, *entries])), entries


async def add_series(
    tx: AsyncConnection, before: Statistic, read: Series, how: tuple[Mode, date, str], now: datetime
) -> SeriesReport:
    """Figures of a file join the series or replace what it said; what the file does not name stays. `how`: mode, as of, why.

    Raises Refused; a 422 problem that names every bad row where all or nothing was asked for.
    """
    mode, as_of, reason = how
    if before.withdrawn_at is not None:
        raise Conflict("state", "withdrawn", "a withdrawn card takes no figures: rewrite it first")
    if mode == "all-or-nothing" and read.errors:
        raise refusal(read.errors)
    if not read.figures and read.errors and mode != "dry-run":
        raise refusal(read.errors)
    given = domain.given(state_of(await store.history(tx, before.id)))
    figures = domain.merged(given, read.figures)
    card, _ = await revise(
        tx, before, before.about, figures, max(as_of, before.as_of), reason, now, keep=mode != "dry-run"
    )
    return _report(mode, before, read, given, card)


def _report(mode: Mode, before: Statistic, read: Series, given: Sequence[Figure], card: Card) -> SeriesReport:
    known = {figure.key: figure for figure in given}
    fresh = [figure for figure in read.figures if figure.key not in known]
    same = [figure for figure in read.figures if known.get(figure.key) == figure]
    hidden = [cell for line in card.lines for cell in (*line.groups.values(), line.total) if cell and cell.hidden]
    applied = mode != "dry-run"
    return SeriesReport(
        mode=mode, applied=applied, rows=len(read.figures) + len(read.errors) + read.missing, added=len(fresh),
        unchanged=len(same), changed=len(read.figures) - len(fresh) - len(same), refused=len(read.errors),
        missing=read.missing, hidden=len(hidden), version=card.statistic.version if applied else before.version,
        errors=errors_of(read.errors),
    )  # fmt: skip


def refusal(errors: Sequence[RowError]) -> Problem:
    told = [
        {"field": f"line {error.line}, {error.column}", "rule": error.rule, "detail": error.detail}
        for error in errors[:SHOWN_ERRORS]
    ]
    return Problem(422, "invalid", TITLE, errors=told)


async def check_cards(tx: AsyncConnection, ids: Sequence[UUID], institution: str) -> None:
    """Cards that a notice shows are its institution's own and there. Raises Refused."""
    if not ids:
        return
    missing = set(ids) - await store.of_institution(tx, ids, institution)
    if missing:
        raise Refused("statistics", "own-card", f"no card of this institution: {sorted(map(str, missing))[0]}")
