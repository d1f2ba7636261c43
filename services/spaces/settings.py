"""Settings of the spaces service: the product's defaults (†) are here, not in code."""

from __future__ import annotations

from pydantic import Field

from shared.settings import PlatformSettings


class Settings(PlatformSettings):
    """Everything a programme may decide otherwise."""

    spaces_hold_s: int = Field(300, ge=1, description="how long a time is held before it is confirmed (S2)")
    spaces_hold_extensions: int = Field(
        2, ge=0, description="how often a hold may be extended, each time as long again"
    )
    spaces_holds_at_once: int = Field(5, ge=1, description="times that one citizen may hold at once")
    spaces_checkin_early_s: int = Field(600, ge=0, description="how early before the start one may check in (S4)")
    spaces_checkin_late_s: int = Field(
        900, ge=0, description="how late after the start; then the time is released (S4)"
    )
    spaces_offer_s: int = Field(600, ge=1, description="how long a free time is held for who waits for it (S4)")
    spaces_penalty_points: int = Field(3, ge=1, description="no-shows that suspend a citizen (S4)")
    spaces_penalty_months: int = Field(3, ge=1, description="months after which a penalty point lapses (S4)")
    spaces_suspension_months: int = Field(1, ge=1, description="months a suspended citizen books nothing (S4)")
    spaces_gap_radius_m: int = Field(700, ge=50, le=2_000, description="who is told of a time that became free (S4)")
    spaces_gap_ahead_s: int = Field(
        10_800, ge=0, description="how soon a free time begins that is told to people nearby"
    )
    spaces_gap_least_s: int = Field(1_800, ge=60, description="shortest free time that is offered and told")
    spaces_refund_full_h: float = Field(24.0, ge=0, description="cancelled so long before, all minutes come back (S3)")
    spaces_refund_half_h: float = Field(1.0, ge=0, description="cancelled so long before, half of them (S3)")
    spaces_withdraw_days: float = Field(
        7.0, ge=0, description="a subscription ended unused so soon is paid back whole (S3)"
    )
    spaces_pause_most_days: int = Field(90, ge=0, description="days of pause by which minutes are good for longer (S3)")
    spaces_series_dates: int = Field(100, ge=1, le=366, description="dates that a series may have (S5)")
    spaces_series_days: int = Field(
        366, ge=1, le=731, description="days from the first date of a series to its last (S5)"
    )
    spaces_tick_s: float = Field(1.0, gt=0, description="how often holds, no-shows and offers are looked after")
    spaces_feed_stale_days: float = Field(
        45.0, gt=0, description="rows imported again and again with nothing new for so long raise an alarm (S8)"
    )
