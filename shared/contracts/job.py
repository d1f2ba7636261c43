"""`jobs.v1`: what becomes of a job after it was posted – places claimed, hours earned, reviews shown, notices to its poster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from shared.contracts.base import DAY_MS, CitizenId, Event, Line, Slug, Topic

JOBS = Topic(
    name="jobs.v1",
    partitions=8,
    key="posting id; of a cap: citizen id",
    owners=("jobs",),
    consumers=("matching",),
    retention_ms=30 * DAY_MS,
    external=True,
    description="Every state change of claims, hours, reviews and reports. At least once: dedupe by event id.",
)

ClaimState = Literal[
    "pending", "waiting", "held", "reconfirm", "working", "worked", "finished", "disputed",
    "declined", "dropped", "cancelled", "no_show",
]  # fmt: skip
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Because = Annotated[Line, Field(max_length=500)]
PostingNews = Literal["expiring", "late_dropout", "disputed", "held", "released", "removed", "appealed", "cancelled"]


class ClaimChanged(Event):
    """A citizen's claim to a place, in its whole present state. `late` is set where a drop-out was late (J5)."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-claim.v1"
    TOPIC: ClassVar[str] = JOBS.name

    id: UUID
    posting_id: UUID
    institution: Line
    citizen_id: CitizenId
    version: int = Field(ge=1)
    state: ClaimState
    late: bool = False
    on_time: bool | None = None
    because: Because | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.posting_id)


class HoursEntered(Event):
    """One line of the ledger, never changed again; a correction is a line that reverses and, perhaps, one more."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-hours.v1"
    TOPIC: ClassVar[str] = JOBS.name

    id: UUID
    claim_id: UUID
    posting_id: UUID
    institution: Line
    citizen_id: CitizenId
    month: Month
    minutes: int
    pay_krw: int
    reverses: UUID | None = None
    because: Because | None = None
    entered_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.posting_id)


class ReviewChanged(Event):
    """A review of finished work. Until it is revealed it says nothing of what was written; hidden ones no longer do."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-review.v1"
    TOPIC: ClassVar[str] = JOBS.name

    id: UUID
    claim_id: UUID
    posting_id: UUID
    institution: Line
    citizen_id: CitizenId
    by: Literal["citizen", "institution"]
    version: int = Field(ge=1)
    state: Literal["sealed", "revealed", "hidden"]
    tags: tuple[Slug, ...] = ()
    recommends: bool | None = None
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.posting_id)


class PostingNoticed(Event):
    """Something that the institution behind a posting is to be told."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-notice.v1"
    TOPIC: ClassVar[str] = JOBS.name

    id: UUID
    posting_id: UUID
    institution: Line
    posted_by: Line
    news: PostingNews
    headline: Line
    because: Because | None = None
    noticed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.posting_id)


class ReportChanged(Event):
    """신고: a report and what moderation made of it. Never who reported."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-report.v1"
    TOPIC: ClassVar[str] = JOBS.name

    id: UUID
    posting_id: UUID
    institution: Line
    state: Literal["open", "held", "released", "removed"]
    reason: Slug
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.posting_id)


class CapReached(Event):
    """A citizen has worked or earned as much as a month allows, or (`reached` false) no longer has (J6)."""

    TYPE: ClassVar[str] = "kr.gwangsan.job-cap.v1"
    TOPIC: ClassVar[str] = JOBS.name

    citizen_id: CitizenId
    month: Month
    reached: bool
    until: AwareDatetime
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id


JOB_EVENTS: tuple[type[Event], ...] = (
    ClaimChanged, HoursEntered, ReviewChanged, PostingNoticed, ReportChanged, CapReached,
)  # fmt: skip
