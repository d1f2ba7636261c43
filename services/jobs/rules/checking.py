"""A posting before the rule book: what is known of it is gathered, and every rule that it breaks is told at once."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings import store
from services.jobs.postings.domain import LONGEST_SHIFT, Terms, broken_terms
from services.jobs.rules.book import book
from services.jobs.rules.domain import Broken, Case, broken_rules, squeezed
from shared.geo import haversine_m
from shared.web.problems import Problem

SAME_PLACE_M = 100.0
SAME_WORDS = 0.9
SENSIBLE = timedelta(days=732)
SOURCE_OF_TIMES = "J8"

_SUSPENDED = text("SELECT 1 FROM blocked WHERE kind = 'institution' AND name = :name")


async def is_suspended(tx: AsyncConnection, institution: str) -> bool:
    return (await tx.execute(_SUSPENDED, {"name": institution})).first() is not None


def broken_in_itself(
    terms: Terms, now: datetime, *, suspended: bool = False, similar: tuple[UUID, ...] = ()
) -> list[Broken]:
    """Everything that speaks against a posting, by what is known of it."""
    broken = [Broken(r.field, r.rule, r.detail, SOURCE_OF_TIMES) for r in broken_terms(terms, now)]
    if abs(terms.starts_at - now) > SENSIBLE or terms.ends_at <= terms.starts_at:
        return broken
    shortened = replace(terms, ends_at=min(terms.ends_at, terms.starts_at + LONGEST_SHIFT))
    return broken + broken_rules(Case(shortened, suspended, similar), book())


async def broken_by(
    tx: AsyncConnection,
    terms: Terms,
    institution: str,
    now: datetime,
    *,
    except_id: UUID = UUID(int=0),
    new: bool = True,
) -> list[Broken]:
    """The same, with what the database knows. `new` looks for one like it, too."""
    sensible = abs(terms.starts_at - now) <= SENSIBLE
    similar = await _similar(tx, terms, institution, now, except_id) if new and sensible else ()
    return broken_in_itself(terms, now, suspended=await is_suspended(tx, institution), similar=similar)


async def refuse_broken(
    tx: AsyncConnection,
    terms: Terms,
    institution: str,
    now: datetime,
    *,
    except_id: UUID = UUID(int=0),
    new: bool = True,
) -> None:
    """Raises a 422 problem that names every rule the posting breaks."""
    broken = await broken_by(tx, terms, institution, now, except_id=except_id, new=new)
    if broken:
        raise refusal(broken)


def refusal(broken: list[Broken]) -> Problem:
    errors = [{**asdict(one), "field": f"body.{one.field}"} for one in broken]
    return Problem(422, "invalid", "요청이 규칙에 맞지 않습니다 / The request breaks a rule", errors=errors)


async def _similar(
    tx: AsyncConnection, terms: Terms, institution: str, now: datetime, except_id: UUID
) -> tuple[UUID, ...]:
    words = squeezed(terms.headline)
    rows = await store.near_in_time_and_place(tx, terms, institution, now, except_id=except_id)
    return tuple(
        row.id
        for row in rows
        if haversine_m(row.lat, row.lon, terms.place.lat, terms.place.lon) <= SAME_PLACE_M
        and SequenceMatcher(None, words, squeezed(row.headline)).ratio() >= SAME_WORDS
    )
