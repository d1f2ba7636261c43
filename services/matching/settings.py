"""Settings of matching."""

from __future__ import annotations

from pydantic import Field

from shared.hours import HoursSettings
from shared.unsubscribe import UnsubscribeSettings


class Settings(UnsubscribeSettings, HoursSettings):
    """The product's defaults (†) are here, not in code."""

    max_accuracy_m: float = Field(200.0, gt=0, description="a fix less accurate than this moves nothing (M1)")
    max_speed_m_s: float = Field(70.0, gt=0, description="a fix that implies more speed moves nothing (M1)")
    position_ttl_s: float = Field(600.0, gt=0, description="a position older than this no longer matches (M3)")
    batch_fixes: int = Field(4_000, ge=1, le=50_000, description="most fixes that the engine takes at once")
    index_check_s: float = Field(
        1.0, gt=0, description="how often the worker looks whether the Redis index is still whole"
    )
    stream_heartbeat_s: float = Field(
        15.0, gt=0, description="a comment on an idle live stream, so that proxies keep it open"
    )
    stream_look_s: float = Field(
        60.0, gt=0, description="how often a live stream looks by itself whether it missed a wake-up"
    )
    max_streams_per_citizen: int = Field(
        5, ge=1, description="live streams one citizen may hold open at once per process"
    )
    records_kept_days: int = Field(
        184, ge=1, description="how long records of collection and use are kept (위치정보법 §16②)"
    )
    watch_versions_kept_days: int = Field(
        90, ge=1, description="how long replaced settings are kept, so that an alert can say why it was made"
    )
    budget_per_day: int = Field(20, ge=0, description="alerts that one citizen is told per day, Asia/Seoul (M6)")
    budget_urgent_reserve: int = Field(
        5, ge=0, description="urgent alerts told per day before they count against the budget"
    )
    remind_before_h: float = Field(
        24.0, ge=0, description="how long before its deadline who has not opened a notice is told once more; 0: never"
    )
    reach_least: int = Field(5, ge=1, description="officers are told no count of citizens under this")
    reach_previews: int = Field(
        60, ge=1, description="how many previews of a notice's reach one officer may ask for per window (M10)"
    )
    reach_previews_s: float = Field(600.0, gt=0, description="the window in which those previews are counted")
    nearby_origins: int = Field(
        30, ge=1, description="from how many places (cells of about 150 m) one person may ask `nearby` per window (M10)"
    )
    nearby_origins_s: float = Field(600.0, gt=0, description="the window in which those places are counted")
