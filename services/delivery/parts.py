"""What the routes of delivery work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from services.delivery.counted import Counted
from services.delivery.deliveries.handlers import Hours
from services.delivery.push.vapid import Vapid
from services.delivery.settings import Settings
from shared.publishing import Parts


@dataclass(frozen=True)
class DeliveryParts(Parts):
    """Made once in app.py."""

    settings: Settings
    vapid: Vapid
    hours: Hours
    counted: Counted = field(default_factory=Counted)


async def _parts(request: Request) -> DeliveryParts:
    parts: DeliveryParts = request.app.state.parts
    return parts


UseDelivery = Annotated[DeliveryParts, Depends(_parts)]
