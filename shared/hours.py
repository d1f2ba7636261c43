"""When citizens who named no hours of their own are let alone, and when their digests are made: one place for all processes."""

from __future__ import annotations

from datetime import time

from pydantic import Field

from shared.contracts.watch import QuietHours
from shared.settings import PlatformSettings


class HoursSettings(PlatformSettings):
    """The inbox and the messages to phones and mailboxes obey the same hours (N3), so they read the same settings."""

    quiet_from: int = Field(
        21,
        ge=0,
        le=23,
        description="quiet hours of who named none begin, Asia/Seoul: notices wait, phones are silent (N3)",
    )
    quiet_to: int = Field(8, ge=0, le=23, description="and end; the same hour means none (N3)")
    digest_hour: int = Field(18, ge=0, le=23, description="hour (Asia/Seoul) of digests for who named none")

    def quiet_hours(self) -> QuietHours:
        """The product's own, for who named none."""
        return QuietHours(starts=time(self.quiet_from), ends=time(self.quiet_to))
