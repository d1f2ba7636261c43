"""How often one citizen may change their subscriptions, counted per minute in this process. It keeps slips and floods small."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends

from services.delivery.parts import UseDelivery
from shared.auth import Principal, current_principal
from shared.web.problems import Problem

MINUTE_S = 60


def limited() -> Any:
    """A dependency: 429 with Retry-After beyond `delivery_requests_per_minute`, which itself is allowed."""

    async def check(principal: Annotated[Principal, Depends(current_principal)], parts: UseDelivery) -> None:
        now_s = int(parts.clock().timestamp())
        if parts.counted.one_more(principal.subject, now_s // MINUTE_S) > parts.settings.delivery_requests_per_minute:
            title = "요청이 너무 잦습니다. 잠시 뒤 다시 해 주세요 / Too many requests"
            raise Problem(429, "too-many-requests", title, headers={"Retry-After": str(MINUTE_S - now_s % MINUTE_S)})

    return Depends(check)
