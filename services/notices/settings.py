"""Settings of the notices service: the product's defaults (†) are here, not in code."""

from __future__ import annotations

from pydantic import Field

from shared.settings import PlatformSettings


class Settings(PlatformSettings):
    """Everything an institution's programme may decide otherwise."""

    notices_verified_only: bool = Field(
        False, description="only institutions that an admin verified may publish; emergencies always need that (N8)"
    )
    notices_remind_before_h: float = Field(
        24.0, ge=0, description="how long before its deadline a notice is told once more; 0: never"
    )
    notices_count_least: int = Field(5, ge=1, description="no count of citizens under this is shown")
    notices_tick_s: float = Field(
        1.0, gt=0, description="how often publications, expiries and reminders are looked for"
    )
    notices_writes_per_minute: int = Field(600, ge=1, description="writing requests of one officer a minute")
    notices_follows_per_minute: int = Field(60, ge=1, description="channels one citizen follows or leaves a minute")
    notices_comments_per_minute: int = Field(5, ge=1, description="comments and reports of one citizen a minute")
