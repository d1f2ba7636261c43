"""Settings of the jobs service: the product's defaults (†) are here, not in code."""

from __future__ import annotations

from secrets import token_urlsafe

from pydantic import Field

from services.jobs.postings.domain import WideningPlan
from shared.settings import PlatformSettings


class Settings(PlatformSettings):
    """Everything a programme may decide otherwise."""

    jobs_widen_steps_m: tuple[int, ...] = Field(
        (700, 1_000, 1_500), description="how far an urgent posting reaches (J5)"
    )
    jobs_widen_every_s: int = Field(300, ge=1, description="seconds between two steps of an urgent posting (J5)")
    jobs_late_dropout_h: float = Field(
        24.0, ge=0, description="dropping out less than this before the start is late (J5)"
    )
    jobs_monthly_cap_h: float = Field(100.0, gt=0, description="hours a citizen may work in a month (J6)")
    jobs_monthly_cap_krw: int = Field(1_200_000, gt=0, description="what a citizen may earn in a month (J6)")
    jobs_code_step_s: int = Field(30, ge=5, description="how long a check-in code is shown")
    jobs_code_grace_s: int = Field(900, ge=0, description="how late a check-in made without network may be sent")
    jobs_checkin_early_s: int = Field(1_800, ge=0, description="how early before the start one may check in")
    jobs_no_show_after_s: int = Field(
        3_600, ge=0, description="who has not checked in so long after the start did not come"
    )
    jobs_review_days: float = Field(7.0, gt=0, description="days after which a review is shown without the other (J7)")
    jobs_badge_jobs: int = Field(5, ge=1, description="finished jobs that a badge takes (J7)")
    jobs_badge_recommendations: int = Field(2, ge=0, description="recommendations that a badge takes (J7)")
    jobs_remind_before_h: float = Field(24.0, ge=0, description="how long before expiry the poster is reminded")
    jobs_tick_s: float = Field(1.0, gt=0, description="how often reminders, reveals and no-shows are looked for")
    jobs_secret: str = Field(
        default_factory=lambda: token_urlsafe(24), min_length=16, repr=False,
        description="makes check-in codes and signs profiles; without one each start makes its own, which production refuses",
    )  # fmt: skip
    jobs_writes_per_minute: int = Field(600, ge=1, description="writing requests of one officer a minute")
    jobs_claims_per_minute: int = Field(60, ge=1, description="claims and check-ins of one citizen a minute")
    jobs_reports_per_minute: int = Field(10, ge=1, description="reports and appeals of one person a minute")

    def widening(self) -> WideningPlan:
        return WideningPlan(self.jobs_widen_steps_m, self.jobs_widen_every_s)
