"""What the API of subscriptions takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row

from services.delivery.subscriptions.domain import Mode, Preference
from shared.web.bodies import Body, Number

Base64Url = Annotated[str, Field(min_length=16, max_length=200, pattern=r"^[A-Za-z0-9_=-]+$")]


class PushKeys(Body):
    p256dh: Base64Url
    auth: Base64Url


class PushBody(Body):
    """A browser's `PushSubscription.toJSON()`, as it is."""

    endpoint: Annotated[str, Field(min_length=10, max_length=2_000)]
    keys: PushKeys
    expirationTime: Annotated[float, Number] | None = None  # noqa: N815 - the browser's name; an endpoint that is over says so


class MailBody(Body):
    address: Annotated[str, Field(min_length=6, max_length=254)]


class PreferenceBody(Body):
    """All of it; what is left out takes its default."""

    push: Mode = Field("instant", description="instant, or as a digest; off: nothing, not even an emergency")
    mail: Mode = "daily"
    hour: Annotated[int, Number] | None = Field(
        None, ge=0, le=23, description="hour (Asia/Seoul) of digests; null: the one of `digest_hour` in /watch"
    )
    weekday: Annotated[int, Number] = Field(0, ge=0, le=6, description="of weekly digests; 0 is Monday")

    def preference(self) -> Preference:
        return Preference(self.push, self.mail, self.hour, self.weekday)


class PreferenceView(BaseModel):
    push: Mode
    mail: Mode
    hour: int | None
    weekday: int

    @classmethod
    def of(cls, kept: Preference) -> Self:
        return cls(push=kept.push, mail=kept.mail, hour=kept.hour, weekday=kept.weekday)


class PushView(BaseModel):
    """A registered device. Of its endpoint only the push service is told."""

    id: UUID
    service: str
    created_at: datetime
    last_sent_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        host = urlsplit(row.address).hostname or ""
        return cls(id=row.id, service=host, created_at=row.created_at, last_sent_at=row.last_sent_at)


class MailView(BaseModel):
    """`pending` until the link in the confirmation is followed; `suspended` when the mailbox refused for good."""

    address: str
    state: Literal["pending", "active", "suspended"]
    created_at: datetime
    last_sent_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls.model_validate(row._asdict(), from_attributes=False, extra="ignore")


class SubscriptionsView(BaseModel):
    push: list[PushView]
    mail: MailView | None
    preferences: PreferenceView


class PushKeyView(BaseModel):
    """`applicationServerKey` of the browser's `pushManager.subscribe`."""

    public_key: str
