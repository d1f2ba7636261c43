"""What a courier carries, and how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from services.delivery.deliveries.domain import Pending
from services.delivery.subscriptions.domain import Channel


@dataclass(frozen=True)
class Message:
    """One message to one addressee. `id` stays the same however often it is tried: by it a second one is recognised."""

    id: UUID
    target_id: UUID
    citizen_id: str
    channel: Channel
    address: str
    p256dh: str | None
    auth: str | None
    digest: bool
    items: tuple[Pending, ...]
    more: int
    attempt: int


@dataclass(frozen=True)
class Accepted:
    """The peer has taken it upon itself."""


@dataclass(frozen=True)
class Later:
    """Not now. `counts`: it was this message's fault perhaps, so one of its tries is used up."""

    reason: str
    after_s: float | None = None
    counts: bool = True


@dataclass(frozen=True)
class Refused:
    """This message never."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The addressee is no more: an endpoint is removed, a mail address suspended."""

    reason: str


Outcome = Accepted | Later | Refused | Gone
Sender = Callable[[Message], Awaitable[Outcome]]
