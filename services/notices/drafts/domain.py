"""The way of a notice to its readers: written, submitted, approved, published when its hour comes (N1). Pure.

Every change is a version, so that an approver approves what they read and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.notices.channels.domain import Institution
from shared.rules import Conflict, Refused

State = Literal["draft", "submitted", "approved", "published", "dropped"]
FARTHEST = timedelta(days=366)


@dataclass(frozen=True)
class Draft:
    """A notice that is not told yet, or a new text of one that is (`base_version` is the version it was written on).

    `notice_id` is the id that the notice has or will have. `writers` are all who ever wrote in it.
    `emergency` says that two officers are needed: for an emergency, and for whatever takes the place of one.
    """

    id: UUID
    notice_id: UUID
    base_version: int | None
    institution: str
    version: int
    state: State
    content: dict[str, Any]
    emergency: bool
    publish_at: datetime | None
    writers: tuple[str, ...]
    submitted_by: str | None
    approved_by: str | None
    because: str | None
    created_at: datetime
    changed_at: datetime


def _now(draft: Draft, now: datetime, **changed: Any) -> Draft:
    return replace(draft, version=draft.version + 1, changed_at=now, **changed)


def _only(draft: Draft, *states: State) -> None:
    if draft.state not in states:
        raise Conflict("state", "not-now", f"a draft that is {draft.state} does not allow this")


def check_hour(publish_at: datetime | None, now: datetime) -> None:
    """An hour to publish at lies within a year, that day included; one that has passed means at once. Raises Refused."""
    if publish_at is not None and publish_at - now > FARTHEST:
        raise Refused("publish_at", "too-far", "a notice is scheduled at most a year ahead")


def rewritten(
    draft: Draft, content: dict[str, Any], emergency: bool, publish_at: datetime | None, by: str, now: datetime
) -> Draft:
    """Other words: whatever was submitted or approved has to be so again. Raises Conflict."""
    _only(draft, "draft", "submitted", "approved")
    check_hour(publish_at, now)
    writers = draft.writers if by in draft.writers else (*draft.writers, by)
    return _now(
        draft, now, state="draft", content=content, emergency=emergency, publish_at=publish_at, writers=writers,
        submitted_by=None, approved_by=None, because=None,
    )  # fmt: skip


def submitted(draft: Draft, by: str, now: datetime) -> Draft:
    """Handed to an approver."""
    _only(draft, "draft")
    return _now(draft, now, state="submitted", submitted_by=by, because=None)


def returned(draft: Draft, because: str, now: datetime) -> Draft:
    """Back to its author with a reason: from the approver, or from the clock when it could not be published."""
    _only(draft, "submitted", "approved")
    return _now(draft, now, state="draft", submitted_by=None, approved_by=None, because=because)


def approved(draft: Draft, by: str, institution: Institution, now: datetime) -> Draft:
    """Free to be published. An emergency is approved by another officer than any who wrote or submitted it (N3), and only
    for a verified institution whose officers were named. Raises Conflict, Refused.
    """
    _only(draft, "submitted")
    if draft.emergency:
        if not institution.may_tell_emergencies():
            raise Refused(
                "emergency", "verified-institution", "an emergency needs a verified institution with named officers"
            )
        if by in draft.writers or by == draft.submitted_by:
            raise Conflict("emergency", "two-officers", "an emergency is approved by another officer than who wrote it")
    return _now(draft, now, state="approved", approved_by=by)


def due(draft: Draft, now: datetime) -> bool:
    """Whether it is to be told: approved, and its hour (inside) has come."""
    return draft.state == "approved" and (draft.publish_at is None or draft.publish_at <= now)


def published(draft: Draft, now: datetime) -> Draft:
    _only(draft, "approved")
    return _now(draft, now, state="published")


def dropped(draft: Draft, now: datetime) -> Draft:
    """Given up, at any time before it is told."""
    _only(draft, "draft", "submitted", "approved")
    return _now(draft, now, state="dropped")
