"""What the API of claims takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from services.jobs.claims.domain import Claim, Worker
from services.jobs.trust.domain import Profile
from shared.contracts.alert import distance_bucket_m
from shared.contracts.job import ClaimState
from shared.geo import haversine_m
from shared.web.bodies import Body, Number, YesNo

Reason = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class ClaimBody(Body):
    wait: YesNo = Field(default=False, description="where every place is taken, wait for one to become free")


class Because(Body):
    reason: Reason


class WorkerBody(Body):
    """일꾼 카드: what a citizen says of themselves. Only the year of birth, and only where work asks for it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)] | None = None
    birth_year: Annotated[int, Field(ge=1900, le=2100), Number] | None = None
    guardian_consent: YesNo = Field(default=False, description="under 18: a guardian agrees to the work")

    @classmethod
    def of(cls, worker: Worker) -> WorkerBody:
        return cls(name=worker.name, birth_year=worker.birth_year, guardian_consent=worker.guardian_consent)


class ClaimView(BaseModel):
    """A claim as its citizen sees it."""

    id: UUID
    posting_id: UUID
    institution: str
    version: int
    state: ClaimState
    late: bool
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

    @classmethod
    def of(cls, claim: Claim) -> ClaimView:
        return cls(**{name: getattr(claim, name) for name in cls.model_fields})


class Applicant(BaseModel):
    """What an officer sees of who claims: what hiring needs, never who they are elsewhere."""

    claim_id: UUID
    version: int
    name: str | None
    state: ClaimState
    late: bool
    because: str | None
    on_time: bool | None
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    offline: bool
    citizen_minutes: int | None
    officer_minutes: int | None
    claimed_at: datetime
    finished_jobs: int
    hours: float
    rehire_rate: float | None
    punctuality: float | None
    no_shows: int
    tags: dict[str, int]
    badges: tuple[str, ...]

    @classmethod
    def of(cls, claim: Claim, worker: Worker, profile: Profile) -> Applicant:
        same = {name: getattr(claim, name) for name in cls.model_fields if hasattr(claim, name)}
        earned = {
            name: getattr(profile, name) for name in cls.model_fields if name != "tags" and hasattr(profile, name)
        }
        return cls(
            **same, **earned, claim_id=claim.id, name=worker.name, claimed_at=claim.created_at, tags=dict(profile.tags)
        )


class Alternative(BaseModel):
    """Another posting with a free place. `distance_m` is a bucket from the place of the one that is full."""

    posting_id: UUID
    headline: str
    place: str
    distance_m: int
    starts_at: datetime
    ends_at: datetime
    pay_krw: int
    pay_per: str
    free: int
    link: str

    @classmethod
    def of(cls, row: Row[Any], lat: float, lon: float) -> Alternative:
        return cls(
            posting_id=row.id, headline=row.headline, place=row.place_name, starts_at=row.starts_at, ends_at=row.ends_at,
            distance_m=distance_bucket_m(haversine_m(lat, lon, row.lat, row.lon)), pay_krw=row.pay_krw, pay_per=row.pay_per,
            free=row.free, link=f"/api/jobs/postings/{row.id}",
        )  # fmt: skip
