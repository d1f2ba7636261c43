"""Work done: in and out, hours agreed by both sides, and the ledger whose lines are only added. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil
from uuid import UUID

from services.jobs.claims.domain import Claim, expect, moved
from services.jobs.postings.domain import Terms
from services.jobs.rules.hours import by_month
from shared.clock import SEOUL
from shared.contracts.job import HoursEntered
from shared.rules import Conflict, Refused

MOST_MINUTES = 1_440


@dataclass(frozen=True)
class Line:
    """One line of the ledger."""

    id: UUID
    claim_id: UUID
    posting_id: UUID
    institution: str
    citizen_id: str
    month: str
    minutes: int
    pay_krw: int
    reverses: UUID | None
    because: str | None
    entered_at: datetime


def check_in(claim: Claim, at: datetime, now: datetime, early: timedelta, *, offline: bool) -> Claim:
    """From `early` before the start, that moment included, to the end. On time is at the start at the latest."""
    expect(claim, "held", "reconfirm")
    if at < claim.starts_at - early:
        raise Conflict("claim", "too-early", "checking in begins shortly before the work")
    if at > claim.ends_at:
        raise Conflict("claim", "too-late", "the work is over")
    return moved(claim, "working", now, on_time=at <= claim.starts_at, checked_in_at=at, offline=offline)


def check_out(claim: Claim, at: datetime, now: datetime, *, offline: bool) -> Claim:
    expect(claim, "working")
    if claim.checked_in_at is not None and at <= claim.checked_in_at:
        raise Conflict("claim", "before-check-in", "one leaves after one has come")
    return moved(claim, "worked", now, checked_out_at=at, offline=claim.offline or offline)


def agree(claim: Claim, minutes: int, now: datetime, *, officer: bool) -> Claim:
    """One side says how long it was. Both alike: finished. Unlike: a dispute, which goes to the officer."""
    expect(claim, "held", "working", "worked", "disputed")
    if now < claim.starts_at or not 0 <= minutes <= MOST_MINUTES:
        raise Refused("minutes", "hours", "hours are told once the work has begun, at most 24 a posting")
    if claim.state == "held" and not officer:
        raise Conflict("state", "not-checked-in", "without a check-in the officer tells the hours")
    theirs = {"officer_minutes": minutes} if officer else {"citizen_minutes": minutes}
    told = moved(claim, claim.state if claim.state != "held" else "worked", now, claim.because, **theirs)
    if told.citizen_minutes is None or told.officer_minutes is None:
        return told
    alike = told.citizen_minutes == told.officer_minutes
    return moved(claim, "finished" if alike else "disputed", now, claim.because, **theirs)


def dispute(claim: Claim, reason: str, now: datetime) -> Claim:
    """The citizen is against what was settled; what the ledger says stands until the officer has looked."""
    expect(claim, "worked", "finished", "no_show")
    return moved(claim, "disputed", now, reason)


def settle(claim: Claim, minutes: int, reason: str, now: datetime) -> Claim:
    """The officer's decision of a dispute."""
    expect(claim, "disputed")
    if not 0 <= minutes <= MOST_MINUTES:
        raise Refused("minutes", "hours", "at most 24 hours a posting")
    return moved(claim, "finished", now, reason, officer_minutes=minutes)


def no_show(claim: Claim, now: datetime) -> Claim:
    expect(claim, "held", "reconfirm")
    return moved(claim, "no_show", now, "출근하지 않음 / did not come")


def pay_for(terms: Terms, minutes: int) -> int:
    """What so many minutes earn, rounded up to the won; a day's pay is whole for any of it."""
    if minutes <= 0:
        return 0
    if terms.pay_per == "day":
        return terms.pay_krw
    if terms.pay_per == "hour":
        return ceil(terms.pay_krw * minutes / 60)
    return terms.pay_krw * (minutes // terms.piece_minutes if terms.piece_minutes else 1)


def shares(starts_at: datetime, minutes: int, krw: int) -> list[tuple[str, int, int]]:
    """(month, minutes, pay) of the work, split at midnight in Seoul before the first of a month; nothing is lost."""
    parts = list(by_month(starts_at, starts_at + timedelta(minutes=minutes)).items())
    split: list[tuple[str, int, int]] = []
    left_minutes, left_krw = minutes, krw
    for n, (month, part) in enumerate(parts):
        last = n == len(parts) - 1
        share = left_minutes if last else int(part)
        pay = left_krw if last else krw * share // minutes
        split.append((month, share, pay))
        left_minutes, left_krw = left_minutes - share, left_krw - pay
    return split


def lines_for(
    claim: Claim, terms: Terms, minutes: int, standing: Sequence[Line], now: datetime, new_id: Callable[[], UUID]
) -> list[Line]:
    """What to add so that the ledger says `minutes` of this claim: reversals of what stands, then the new lines."""
    wanted = shares(claim.starts_at, minutes, pay_for(terms, minutes))
    unreversed = not_reversed(standing)
    if sorted(wanted) == sorted((line.month, line.minutes, line.pay_krw) for line in unreversed):
        return []

    def line(month: str, minutes: int, krw: int, reverses: UUID | None) -> Line:
        return Line(
            new_id(), claim.id, claim.posting_id, claim.institution, claim.citizen_id, month, minutes, krw, reverses,
            claim.because, now,
        )  # fmt: skip

    reversals = [line(old.month, -old.minutes, -old.pay_krw, old.id) for old in unreversed]
    return reversals + [line(month, share, krw, None) for month, share, krw in wanted]


def not_reversed(lines: Iterable[Line]) -> list[Line]:
    """The lines that stand: neither reversed nor reversals."""
    lines = list(lines)
    gone = {line.reverses for line in lines if line.reverses is not None}
    return [line for line in lines if line.reverses is None and line.id not in gone]


def month_ends(month: str) -> datetime:
    """The first moment, in Seoul, that is no longer in the month."""
    first = date.fromisoformat(f"{month}-01")
    following = (first + timedelta(days=32)).replace(day=1)
    return datetime.combine(following, time(), SEOUL)


def as_event(line: Line) -> HoursEntered:
    return HoursEntered(**{name: getattr(line, name) for name in HoursEntered.model_fields})
