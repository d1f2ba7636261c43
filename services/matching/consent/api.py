"""Routes of consent: grant, withdraw with a receipt, look up, and the record of what was done with one's location."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints

from services.matching.alerts import store as inbox
from services.matching.consent import domain, store
from services.matching.consent.domain import Consent, Purpose
from services.matching.index import origins
from services.matching.index import store as index
from services.matching.parts import UseParts
from services.matching.watches.handlers import watch_changed
from shared.auth import Citizen
from shared.clock import SEOUL
from shared.contracts.location import LOCATIONS
from shared.messaging.partitions import partition_of
from shared.web.bodies import Body
from shared.web.idempotency import IdempotencyKey, once
from shared.web.problems import not_found

router = APIRouter(tags=["동의 consent"])

CSV = "text/csv"
MOST_RECORDS = 500


class Grant(Body):
    """Which wording of the terms the citizen agreed to."""

    terms_version: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\w.\-]+$")] = "2026-11"


class ConsentView(BaseModel):
    purpose: Purpose
    in_force: bool
    epoch: int
    terms_version: str
    granted_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, consent: Consent) -> ConsentView:
        return cls(
            purpose=consent.purpose, in_force=consent.in_force, epoch=consent.epoch, terms_version=consent.terms_version,
            granted_at=consent.granted_at, withdrawn_at=consent.withdrawn_at,
        )  # fmt: skip


class Receipt(BaseModel):
    """철회 확인서: what was withdrawn and what was erased for it."""

    receipt_id: UUID
    purpose: Purpose
    epoch: int
    withdrawn_at: datetime
    erased: dict[str, int]


class UseRecord(BaseModel):
    """An hour of collection, use or provision. Never a coordinate."""

    act: str
    how: str
    hour: datetime
    times: int
    first_at: datetime
    last_at: datetime


@router.get("/consents", summary="나의 동의 My consents")
async def list_consents(citizen: Citizen, parts: UseParts) -> list[ConsentView]:
    async with parts.database.transaction() as tx:
        return [ConsentView.of(consent) for consent in await store.all_of(tx, citizen.subject)]


@router.post("/consents/{purpose}", status_code=201, response_model=ConsentView, summary="동의 Grant")
async def grant_consent(
    purpose: Purpose, body: Grant, citizen: Citizen, key: IdempotencyKey, parts: UseParts
) -> Response:
    route, now = f"POST /consents/{purpose}", parts.clock()
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as claim:
        if claim.response is not None:
            return claim.response
        await store.lock_citizen(claim.tx, citizen.subject)
        before = await store.get(claim.tx, citizen.subject, purpose)
        after = domain.grant(before, citizen.subject, purpose, body.terms_version, now)
        if after != before:
            await store.save(claim.tx, after)
            await store.note(claim.tx, uuid4(), after, "granted", now)
            if purpose == "location":
                await watch_changed(claim.tx, citizen.subject, after, now)
        return await claim.answer(201, ConsentView.of(after))


@router.delete("/consents/{purpose}", summary="동의 철회 Withdraw, with a receipt")
async def withdraw_consent(purpose: Purpose, citizen: Citizen, parts: UseParts) -> Receipt:
    """Withdrawn is withdrawn at once: positions, index entries and alerts not yet told are erased before this answers."""
    now, receipt_id = parts.clock(), uuid4()
    async with parts.database.transaction() as tx:
        await store.lock_citizen(tx, citizen.subject)
        before = await store.get(tx, citizen.subject, purpose)
        if before is None:
            raise not_found("consent")
        after = domain.withdraw(before, now)
        erased = {"pending_alerts": 0}
        if after != before:
            await store.save(tx, after)
            if purpose == "location":
                erased["pending_alerts"] = await inbox.erase_pending(tx, citizen.subject)
                await watch_changed(tx, citizen.subject, after, now)
            await store.note(tx, receipt_id, after, "withdrawn", now, erased)
    if purpose == "location":
        await origins.forget(parts.redis, citizen.subject)
        partition = partition_of(citizen.subject, LOCATIONS.partitions)
        erased["positions"] = await index.forget_citizen(
            parts.redis, partition, citizen.subject, int(now.timestamp() * 1000)
        )
    return Receipt(
        receipt_id=receipt_id, purpose=purpose, epoch=after.epoch, withdrawn_at=after.withdrawn_at or now, erased=erased
    )


@router.get("/location-records", response_model=list[UseRecord], responses={200: {"content": {CSV: {}}}},
            summary="내 위치 이용 기록 What was done with my location (위치정보법 §16②)")  # fmt: skip
async def list_location_records(
    citizen: Citizen, parts: UseParts, format: Annotated[Literal["json", "csv"] | None, Query()] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:  # fmt: skip
    """The newest 500; as CSV (`format=csv`, or `Accept: text/csv`) all that is kept, to be downloaded."""
    as_csv = format == "csv" or (format is None and CSV in accept)
    async with parts.database.transaction() as tx:
        rows = await store.records_of(tx, citizen.subject, None if as_csv else MOST_RECORDS)
    records = [UseRecord.model_validate(row._asdict()) for row in rows]
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if not as_csv:
        return JSONResponse([record.model_dump(mode="json") for record in records], headers=headers)
    headers["Content-Disposition"] = 'attachment; filename="location-records.csv"'
    return Response(_csv(records), media_type=f"{CSV}; charset=utf-8", headers=headers)


def _csv(records: Sequence[UseRecord]) -> str:
    """RFC 4180, with the mark by which spreadsheets know UTF-8; times in Asia/Seoul, with their offset."""
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(UseRecord.model_fields)
    for record in records:
        values = record.model_dump().values()
        table.writerow(v.astimezone(SEOUL).isoformat() if isinstance(v, datetime) else v for v in values)
    return "\ufeff" + written.getvalue()
