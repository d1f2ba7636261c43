"""Claims to the places of a posting: who may have one, what becomes of it. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID, uuid4

from services.jobs.postings.domain import JobPosting, Terms, is_filled
from services.jobs.rules.domain import MINOR_BELOW_AGE, unfit_for_minors
from services.jobs.rules.hours import by_day, by_month, week_of
from shared.clock import SEOUL
from shared.contracts.job import ClaimChanged, ClaimState
from shared.rules import Conflict, Refused

PLACED: frozenset[ClaimState] = frozenset({"held", "reconfirm", "working", "worked", "finished", "disputed"})
COMING: frozenset[ClaimState] = frozenset({"held", "reconfirm", "working", "worked", "disputed"})
OVER: frozenset[ClaimState] = frozenset({"declined", "dropped", "cancelled", "no_show"})
ASKING: frozenset[ClaimState] = frozenset({"pending", "waiting"})
MINOR_WEEK_MINUTES = 35 * 60


class NoPlace(Conflict):
    """No place is free here; the answer carries others nearby (J4)."""


@dataclass(frozen=True)
class Claim:
    """One citizen's claim in its newest state."""

    id: UUID
    posting_id: UUID
    institution: str
    citizen_id: str
    version: int
    state: ClaimState
    late: bool
    on_time: bool | None
    because: str | None
    starts_at: datetime
    ends_at: datetime
    planned_krw: int
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    offline: bool
    citizen_minutes: int | None
    officer_minutes: int | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Worker:
    """What a citizen said of themselves, and whether they may work at all."""

    citizen_id: str
    name: str | None = None
    birth_year: int | None = None
    guardian_consent: bool = False
    blocked: bool = False


@dataclass(frozen=True)
class Load:
    """What a citizen has worked (the ledger's months) and is going to work (claims)."""

    coming: tuple[Claim, ...] = ()
    worked_minutes: tuple[tuple[str, int], ...] = ()
    earned_krw: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Caps:
    """What a month allows (J6); both are allowed themselves."""

    minutes: float
    krw: int


def planned_krw(terms: Terms) -> int:
    """What the shift pays as posted, rounded up; by the piece, as many as the time allows."""
    minutes = (terms.ends_at - terms.starts_at) / timedelta(minutes=1)
    if terms.pay_per == "day":
        return terms.pay_krw
    if terms.pay_per == "hour":
        return ceil(round(terms.pay_krw * minutes / 60, 6))
    return terms.pay_krw * int(minutes // (terms.piece_minutes or minutes))


def place_for(
    posting: JobPosting, taken: int, worker: Worker, load: Load, caps: Caps, now: datetime, *, may_wait: bool
) -> ClaimState:
    """The state in which a claim begins. Raises Refused for who may not, NoPlace where there is none, Conflict else."""
    terms = posting.terms
    if terms.cancelled or terms.starts_at <= now or not (posting.status == "open" or is_filled(posting)):
        raise NoPlace("posting_id", "closed", "nobody is wanted here any more")
    check_age(terms, worker, load)
    check_load(posting.id, terms, load, caps)
    if terms.approval == "officer" and posting.status == "open":
        return "pending"
    if taken < terms.slots and posting.status == "open" and terms.expires_at > now:
        return "held"
    if not may_wait:
        raise NoPlace("posting_id", "full", "every place is taken")
    return "waiting"


@dataclass(frozen=True)
class Comer:
    """Who asks for a place: what is known of them, whether they have a claim here, whether they would wait in line."""

    worker: Worker
    load: Load
    has_claim: bool
    may_wait: bool


def places_for(
    posting: JobPosting, taken: int, comers: Sequence[Comer], caps: Caps, now: datetime
) -> list[Claim | Refused]:
    """One decision for each, in their order: who is first gets the place, whoever it was that came together."""
    decided: list[Claim | Refused] = []
    for comer in comers:
        try:
            if comer.has_claim:
                raise Conflict("posting_id", "claimed-already", "this posting is claimed by you already")
            state = place_for(posting, taken, comer.worker, comer.load, caps, now, may_wait=comer.may_wait)
        except Refused as why:
            decided.append(why)
        else:
            taken += state == "held"
            decided.append(new_claim(uuid4(), posting, comer.worker.citizen_id, state, now))
    return decided


def check_age(terms: Terms, worker: Worker, load: Load) -> None:
    """Age is asked only where it matters: a minimum age, or work that nobody under 18 may do. Raises Refused."""
    if worker.blocked:
        raise Conflict("citizen", "blocked", "this account may not claim work for now")
    year = terms.starts_at.astimezone(SEOUL).year
    if worker.birth_year is None:
        if terms.min_age or unfit_for_minors(terms):
            raise Refused("birth_year", "age-unknown", "the year of birth is needed for this work (PUT /me)")
        return
    # Only the year is known, so the age certain all year long is one less than the difference.
    age = year - worker.birth_year - 1
    if terms.min_age is not None and age < terms.min_age:
        raise Refused("birth_year", "too-young", f"for this work one must be {terms.min_age}")
    if age < MINOR_BELOW_AGE:
        _check_minor(terms, worker, load)


def _check_minor(terms: Terms, worker: Worker, load: Load) -> None:
    if not worker.guardian_consent:
        raise Refused("guardian_consent", "guardian", "under 18, a guardian agrees first (PUT /me)")
    if unfit_for_minors(terms):
        raise Refused("posting_id", "minors", "under 18: at most 7 hours a day, none between 22:00 and 06:00")
    spans = [(terms.starts_at, terms.ends_at), *((c.starts_at, c.ends_at) for c in load.coming)]
    days: dict[tuple[int, int], float] = {}
    for span in spans:
        for day, minutes in by_day(*span):
            days[week_of(day)] = days.get(week_of(day), 0.0) + minutes
    weeks = {week_of(day) for day, _ in by_day(terms.starts_at, terms.ends_at)}
    if any(days[week] > MINOR_WEEK_MINUTES for week in weeks):
        raise Refused("posting_id", "minors-week", "under 18: at most 35 hours a week")


def check_load(posting_id: UUID, terms: Terms, load: Load, caps: Caps) -> None:
    """Nobody is in two places at once, nor works or earns more than a month allows. Raises Conflict."""
    coming = [claim for claim in load.coming if claim.posting_id != posting_id]
    if any(c.starts_at < terms.ends_at and terms.starts_at < c.ends_at for c in coming):
        raise Conflict("posting_id", "overlap", "another claim is at the same time; end = next start is fine")
    minutes, krw = dict(load.worked_minutes), dict(load.earned_krw)
    shares = by_month(terms.starts_at, terms.ends_at)
    whole = sum(shares.values())
    for month, share in shares.items():
        planned = sum(by_month(c.starts_at, c.ends_at).get(month, 0.0) for c in coming)
        pay = sum(c.planned_krw * _part(c, month) for c in coming) + planned_krw(terms) * share / whole
        if minutes.get(month, 0) + planned + share > caps.minutes or krw.get(month, 0) + pay > caps.krw:
            raise Conflict(
                "posting_id", "monthly-cap", f"{month} allows {caps.minutes / 60:g} hours and {caps.krw:,} won"
            )


def _part(claim: Claim, month: str) -> float:
    shares = by_month(claim.starts_at, claim.ends_at)
    return shares.get(month, 0.0) / sum(shares.values())


def new_claim(id_: UUID, posting: JobPosting, citizen_id: str, state: ClaimState, now: datetime) -> Claim:
    terms = posting.terms
    return Claim(
        id_, posting.id, posting.institution, citizen_id, 1, state, False, None, None, terms.starts_at, terms.ends_at,
        planned_krw(terms), None, None, False, None, None, now, now,
    )  # fmt: skip


def moved(claim: Claim, state: ClaimState, now: datetime, because: str | None = None, **changed: object) -> Claim:
    """The claim in another state, one version on."""
    return replace(
        claim,
        state=state,
        version=claim.version + 1,
        because=because,
        changed_at=now,
        **changed,  # type: ignore[arg-type]
    )


def drop(claim: Claim, reason: str, now: datetime, late_h: float) -> Claim:
    """The citizen gives it up. Late is less than `late_h` hours before the start; who is asked anew is never late."""
    if claim.state not in ("held", "reconfirm", "pending", "waiting"):
        raise Conflict("state", "not-open", f"a claim that is {claim.state} is not given up")
    if claim.starts_at <= now and claim.state in PLACED:
        raise Conflict("state", "started", "the work has begun")
    late = claim.state == "held" and claim.starts_at - now < timedelta(hours=late_h)
    return moved(claim, "dropped", now, reason, late=late)


def expect(claim: Claim, *states: ClaimState) -> None:
    """Raises Conflict unless the claim is in one of the states."""
    if claim.state not in states:
        raise Conflict("state", "not-now", f"the claim is {claim.state}, not {' or '.join(states)}")


def under_new_terms(claim: Claim, posting: JobPosting, now: datetime, *, ask: bool) -> Claim:
    """The claim after the posting changed; with `ask` who has a place must confirm it again (J9)."""
    terms = posting.terms
    times = {"starts_at": terms.starts_at, "ends_at": terms.ends_at, "planned_krw": planned_krw(terms)}
    state: ClaimState = "reconfirm" if ask and claim.state == "held" else claim.state
    return moved(claim, state, now, claim.because, **times)


def next_in_line(waiting: Sequence[Claim]) -> list[Claim]:
    """Who waits, the longest first."""
    return sorted((c for c in waiting if c.state == "waiting"), key=lambda c: (c.created_at, c.id))


def as_event(claim: Claim) -> ClaimChanged:
    return ClaimChanged(
        id=claim.id, posting_id=claim.posting_id, institution=claim.institution, citizen_id=claim.citizen_id,
        version=claim.version, state=claim.state, late=claim.late, on_time=claim.on_time, because=claim.because,
        starts_at=claim.starts_at, ends_at=claim.ends_at, changed_at=claim.changed_at,
    )  # fmt: skip
