"""Settings of delivery: the product's defaults (†) are here, not in code."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Literal

from pydantic import Field

from shared.hours import HoursSettings
from shared.unsubscribe import UnsubscribeSettings


class Settings(UnsubscribeSettings, HoursSettings):
    """What may be decided otherwise, and where mail goes."""

    vapid_secret: str = Field(
        default_factory=lambda: token_urlsafe(32), min_length=32, repr=False,
        description="the key that web push is signed with is made of it; without one each start makes its own, which production refuses",
    )  # fmt: skip
    vapid_contact: str = Field(
        "mailto:push@gwangsan.example", pattern=r"^(mailto:[^@\s]+@[\w.-]+\.\w+|https://[\w.-]+)$",
        description="whom a push service may write to about us",
    )  # fmt: skip
    push_private_endpoints: bool = Field(
        False, description="lets endpoints be http and on private addresses; for development, refused in production"
    )
    push_endpoints_per_citizen: int = Field(10, ge=1, description="devices that one citizen may register for web push")
    push_ttl_s: int = Field(86_400, ge=0, description="how long a push service keeps a message for a phone that is off")
    push_couriers: int = Field(4, ge=1, le=32, description="how many groups of push messages are on their way at once")
    push_at_once: int = Field(50, ge=1, le=1_000, description="push messages of one such group on their way at once")
    smtp_host: str = Field("", description="the mail relay; without one nobody can register an e-mail address")
    smtp_port: int = Field(587, ge=1, le=65_535, description="the mail relay's port")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("starttls", description="how the mail relay is spoken to")
    smtp_username: str | None = Field(None, description="account at the mail relay, if it wants one")
    smtp_password: str | None = Field(None, repr=False, description="its password")
    mail_from: str = Field(
        "no-reply@gwangsan.example", pattern=r"^[^@\s<>]+@[\w.-]+$", description="the address that mail comes from"
    )
    mail_couriers: int = Field(24, ge=1, le=64, description="how many connections to the mail relay at once")
    mail_confirm_hours: float = Field(24.0, gt=0, description="how long the link that confirms an address works")
    mail_confirmations_per_hour: int = Field(
        3, ge=1, description="confirmations sent per hour at the wish of one citizen, and to one address"
    )
    delivery_tick_s: float = Field(0.5, gt=0, description="how often a courier looks for what is due")
    delivery_at_once: int = Field(400, ge=1, le=1_000, description="addressees that a courier takes at once")
    delivery_lease_s: float = Field(
        60.0, ge=5, description="after so long what a dead courier had taken is sent by another"
    )
    delivery_attempts: int = Field(8, ge=1, description="tries until a message is given up")
    delivery_backoff_s: float = Field(15.0, gt=0, description="first wait between two tries; doubles, at most an hour")
    delivery_fresh_s: float = Field(
        3_600.0, gt=0, description="an alert that could not be sent for so long goes into the next digest instead"
    )
    delivery_instant_per_day: int = Field(
        20, ge=0, description="instant messages per addressee and day, Asia/Seoul; the rest goes into the digest (M6)"
    )
    delivery_urgent_reserve: int = Field(5, ge=0, description="urgent messages per day before they count against those")
    delivery_digest_settles_s: float = Field(
        120.0, ge=0, description="how long after its hour a digest goes out, so that what matching left over is in it"
    )
    delivery_cleared_s: float = Field(
        60.0, gt=0, description="how often what digests said is erased of those that are sent or given up"
    )
    delivery_kept_days: int = Field(
        14, ge=8, description="how long it is remembered that something was sent, never what"
    )
    delivery_requests_per_minute: int = Field(60, ge=1, description="changes of one citizen's subscriptions a minute")

    def check(self) -> None:
        """Raises ValueError where production lacks a key of its own or has a setting for development."""
        self.check_key()
        if self.environment == "production" and "vapid_secret" not in self.model_fields_set:
            raise ValueError("GWANGSAN_VAPID_SECRET must be set in production")
        if self.environment == "production" and self.push_private_endpoints:
            raise ValueError("GWANGSAN_PUSH_PRIVATE_ENDPOINTS is for development")
