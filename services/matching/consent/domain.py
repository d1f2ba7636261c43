"""Consent: separate for each purpose, versioned, dated (J1). Pure: the time is passed in.

The epoch rises with every grant. A fix carries the epoch it was taken in under, so a fix that was in flight when consent
was withdrawn is recognised wherever it arrives (M9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

Purpose = Literal["location", "push", "guardian"]


@dataclass(frozen=True)
class Consent:
    """The newest state of one citizen's consent to one purpose."""

    citizen_id: str
    purpose: Purpose
    epoch: int
    terms_version: str
    granted_at: datetime
    withdrawn_at: datetime | None

    @property
    def in_force(self) -> bool:
        return self.withdrawn_at is None


def grant(before: Consent | None, citizen_id: str, purpose: Purpose, terms_version: str, now: datetime) -> Consent:
    """A grant begins a new epoch; granting the same terms again while in force changes nothing."""
    if before is None:
        return Consent(citizen_id, purpose, 1, terms_version, now, None)
    if before.in_force and before.terms_version == terms_version:
        return before
    return Consent(citizen_id, purpose, before.epoch + 1, terms_version, now, None)


def withdraw(before: Consent, now: datetime) -> Consent:
    """Withdrawing twice changes nothing."""
    return before if not before.in_force else replace(before, withdrawn_at=now)
