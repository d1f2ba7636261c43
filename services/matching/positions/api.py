"""Intake of positions: one fix or a batch, each answered for itself, kept for minutes only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from services.matching.consent.store import Collecting
from services.matching.parts import SOURCE, Parts, UseParts
from services.matching.positions.domain import clamped, refusal
from shared.auth import Citizen
from shared.contracts import Fix
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from shared.web.bodies import Body, Latitude, Longitude, Moment, Number
from shared.web.problems import Problem

router = APIRouter(prefix="/positions", tags=["위치 positions"])

MAX_FIXES = 500


class FixBody(Body):
    """One position as the device measured it."""

    lat: Latitude
    lon: Longitude
    accuracy_m: Annotated[float, Number, Field(ge=0, le=100_000, allow_inf_nan=False)]
    observed_at: Moment


@dataclass(frozen=True)
class Unreadable:
    """A fix in a batch that breaks a rule of its own; the others are taken all the same."""

    rule: str
    detail: str


def _each_for_itself(value: Any, validate: ValidatorFunctionWrapHandler) -> FixBody | Unreadable:
    try:
        fix: FixBody = validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return Unreadable(first["type"], f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".lstrip(": "))
    return fix


class Positions(Body):
    """1 to 500 fixes of one citizen."""

    fixes: Annotated[
        list[Annotated[FixBody, WrapValidator(_each_for_itself)]], Field(min_length=1, max_length=MAX_FIXES)
    ]


class FixResult(BaseModel):
    """What became of one fix, by its index."""

    index: int
    accepted: bool
    rule: str | None = None
    detail: str | None = None


class Taken(BaseModel):
    """Taken in means on its way to matching; what comes of it is told by the stream."""

    accepted: int
    refused: int
    results: list[FixResult]


@router.post("", status_code=202, summary="위치 보내기 Send positions")
async def post_positions(body: Positions, citizen: Citizen, parts: UseParts) -> Taken:
    """Each fix is answered for itself. 403 without consent to location; nothing is kept then."""
    now, limit_m = parts.clock(), parts.settings.max_accuracy_m
    results, accepted = [], []
    for index, fix in enumerate(body.fixes):
        no = _refusal(fix, now, limit_m)
        results.append(FixResult(index=index, accepted=no is None, rule=no and no.rule, detail=no and no.detail))
        if no is None:
            accepted.append(fix)
    epoch = await _consent_epoch(parts, citizen.subject, len(accepted))
    await asyncio.gather(*[await _send(parts, _event(fix, citizen.subject, epoch, now), now) for fix in accepted])
    return Taken(accepted=len(accepted), refused=len(results) - len(accepted), results=results)


def _refusal(fix: FixBody | Unreadable, now: datetime, limit_m: float) -> Unreadable | None:
    if isinstance(fix, Unreadable):
        return fix
    no = refusal(fix.observed_at, fix.accuracy_m, now, max_accuracy_m=limit_m)
    return None if no is None else Unreadable(*no)


async def _consent_epoch(parts: Parts, citizen_id: str, times: int) -> int:
    epoch = await parts.collected(Collecting(citizen_id, times))
    if epoch is None:
        raise Problem(403, "no-consent", "위치 이용에 동의하지 않았습니다 / No consent to the use of location")
    return epoch


def _event(fix: FixBody, citizen_id: str, epoch: int, now: datetime) -> Fix:
    return Fix(
        citizen_id=citizen_id, lat=fix.lat, lon=fix.lon, accuracy_m=fix.accuracy_m,
        observed_at=clamped(fix.observed_at, now), received_at=now, consent_epoch=epoch,
    )  # fmt: skip


async def _send(parts: Parts, fix: Fix, now: datetime) -> Awaitable[Any]:
    headers = headers_of(fix, event_id=uuid4(), source=SOURCE, time=now)
    acknowledged: Awaitable[Any] = await parts.producer.send(
        fix.TOPIC, body_of(fix), key=fix.topic_key().encode(), headers=kafka_headers(headers)
    )
    return acknowledged
