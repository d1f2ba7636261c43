"""Routes of the rule book: what is in force, for anybody to read, and a look at a draft before it is posted."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel

from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.postings.models import PostingDraft
from services.jobs.rules.book import book
from services.jobs.rules.checking import broken_by
from services.jobs.rules.domain import BOOK_OF_RULES
from shared.auth import Officer
from shared.clock import SEOUL

router = APIRouter(prefix="/rules", tags=["규칙 rules"])


class RuleView(BaseModel):
    id: str
    field: str
    source: str
    ko: str
    en: str
    since: date
    until: date | None


class RateView(BaseModel):
    since: date
    krw_per_hour: int
    source: str


class RuleBook(BaseModel):
    rules: list[RuleView]
    minimum_wage: list[RateView]


class CategoryView(BaseModel):
    id: str
    ko: str
    en: str
    since: date
    until: date | None
    in_force: bool


class BrokenView(BaseModel):
    field: str
    rule: str
    detail: str
    source: str


class Checked(BaseModel):
    """What a posting would break, all of it."""

    broken: list[BrokenView]


@router.get("", summary="규칙집 The rule book")
async def get_rules() -> RuleBook:
    rules = [RuleView.model_validate(rule, from_attributes=True) for rule in BOOK_OF_RULES]
    rates = [RateView.model_validate(rate, from_attributes=True) for rate in book().rates]
    return RuleBook(rules=rules, minimum_wage=rates)


@router.get("/categories", summary="사업 분류 Categories of socially useful work")
async def get_categories(parts: UseJobs) -> list[CategoryView]:
    today = parts.clock().astimezone(SEOUL).date()
    return [
        CategoryView(id=c.id, ko=c.ko, en=c.en, since=c.since, until=c.until, in_force=c.in_force(today))
        for c in book().categories
    ]


@router.post("/check", summary="올리기 전 확인 Check a posting without posting it", dependencies=[limited("writes")])
async def check_posting(draft: PostingDraft, officer: Officer, parts: UseJobs) -> Checked:
    async with parts.database.transaction() as tx:
        broken = await broken_by(
            tx, draft.terms(), str(officer.institution), parts.clock(), new=not draft.not_a_duplicate
        )
    return Checked(broken=[BrokenView.model_validate(one, from_attributes=True) for one in broken])
