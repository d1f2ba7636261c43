"""Check-in codes that rotate: an HMAC of the posting and the time step, shown at the place and worth nothing elsewhere.

A code is good for its own posting and its own step (one step either way for clocks that differ), for whoever has a place
there, once. Read without network it may be sent later, within a grace, and is then marked for the officer to look at.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

LENGTH = 8
STEPS_EITHER_WAY = 1


@dataclass(frozen=True)
class Codes:
    """How codes are made; settings."""

    secret: str
    step_s: int
    grace_s: int

    def shown_at(self, posting_id: UUID, now: datetime) -> str:
        return self._code(posting_id, self._step(now))

    def until(self, now: datetime) -> datetime:
        """When the next code is shown."""
        return datetime.fromtimestamp((self._step(now) + 1) * self.step_s, UTC)

    def accepts(self, posting_id: UUID, code: str, scanned_at: datetime, now: datetime) -> bool:
        """Whether a code was on show when it is said to have been read, and is sent no later than the grace."""
        if scanned_at > now + timedelta(seconds=self.step_s) or now - scanned_at > timedelta(seconds=self.grace_s):
            return False
        step, given = self._step(scanned_at), code.strip().upper().encode("utf-8", "replace")
        near = range(step - STEPS_EITHER_WAY, step + STEPS_EITHER_WAY + 1)
        return any(hmac.compare_digest(self._code(posting_id, s).encode(), given) for s in near)

    def is_offline(self, scanned_at: datetime, now: datetime) -> bool:
        """Sent so late that it can no longer be on show."""
        return now - scanned_at > timedelta(seconds=self.step_s * (STEPS_EITHER_WAY + 1))

    def _step(self, at: datetime) -> int:
        return int(at.timestamp() // self.step_s)

    def _code(self, posting_id: UUID, step: int) -> str:
        made = hmac.new(self.secret.encode(), f"check-in\n{posting_id}\n{step}".encode(), hashlib.sha256).digest()
        return base64.b32encode(made).decode()[:LENGTH]


def qr_text(posting_id: UUID, code: str) -> str:
    """What the QR at the place says."""
    return f"gwangsan:check:{posting_id}:{code}"
