"""`answers.v1`: a citizen asked an institution under a notice, and it has answered (N8). Told to nobody but who asked."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.base import DAY_MS, CitizenId, Event, Line, Text, Topic

ANSWERS = Topic(
    name="answers.v1",
    partitions=8,
    key="citizen id",
    owners=("notices",),
    consumers=("matching",),
    retention_ms=7 * DAY_MS,
    description="That a question was answered, to whoever asked; matching makes an alert of it. At least once: dedupe by event id.",
)


class Answered(Event):
    """`version` is the comment's and rises when the answer is given anew. Neither the question nor the answer is said here."""

    TYPE: ClassVar[str] = "kr.gwangsan.answer.v1"
    TOPIC: ClassVar[str] = ANSWERS.name

    comment_id: UUID
    version: int = Field(ge=1)
    citizen_id: CitizenId
    notice_id: UUID
    headline: Text
    institution: Line = Field(max_length=100)
    link: Line = Field(max_length=300)
    answered_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id
