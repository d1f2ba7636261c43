"""Routes of work: the code at the place, in and out, hours of both sides, disputes, the ledger and its statements."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Row

from services.jobs.claims.api import institutions_claim, own_claim
from services.jobs.claims.domain import Claim
from services.jobs.claims.handlers import caps_of, keep
from services.jobs.claims.models import Because, ClaimView
from services.jobs.limits import limited
from services.jobs.parts import JobsParts, UseJobs
from services.jobs.postings.handlers import desk
from services.jobs.work import domain, store
from services.jobs.work.codes import qr_text
from services.jobs.work.handlers import codes_of, keep_hours, read_code
from services.jobs.work.models import CheckBody, CodeView, HoursBody, LedgerView, LineView, SettleBody
from services.jobs.work.statements import StatementLine, as_csv, as_html
from shared.auth import Citizen, Officer, Principal
from shared.auth import requires as requires_role
from shared.contracts.job import Month
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, Once, once

router = APIRouter(tags=["근무 work"])

CitizenOrOfficer = Annotated[Principal, requires_role("citizen", "officer")]
InMonth = Annotated[Month, Path(description="a month of Asia/Seoul, as 2026-11")]
CSV_TYPE = "text/csv; charset=utf-8"


async def _answer(kept: Once, claim: Claim) -> Response:
    return await kept.answer(200, ClaimView.of(claim), {"ETag": etag(claim.version)})


@router.get("/postings/{posting_id}/code", summary="출근 코드 The code to show at the place now")
async def get_code(posting_id: UUID, officer: Officer, parts: UseJobs, response: Response) -> CodeView:
    async with parts.database.transaction() as tx:
        posting = await desk.take(tx, posting_id, officer)
    now, codes = parts.clock(), codes_of(parts.settings)
    code = codes.shown_at(posting.id, now)
    response.headers["Cache-Control"] = "no-store"
    return CodeView(code=code, qr=qr_text(posting.id, code), until=codes.until(now), step_s=codes.step_s)


@router.post(
    "/claims/{claim_id}/check-in", response_model=ClaimView, summary="출근 Check in", dependencies=[limited("claims")]
)
async def post_check_in(
    claim_id: UUID, body: CheckBody, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /claims/{claim_id}/check-in"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await own_claim(kept.tx, claim_id, citizen)
        at, offline = read_code(posting, body.code, body.scanned_at, parts)
        early = timedelta(seconds=parts.settings.jobs_checkin_early_s)
        after = domain.check_in(claim, at, parts.clock(), early, offline=offline)
        await keep(kept.tx, after)
        return await _answer(kept, after)


@router.post(
    "/claims/{claim_id}/check-out", response_model=ClaimView, summary="퇴근 Check out", dependencies=[limited("claims")]
)
async def post_check_out(
    claim_id: UUID, body: CheckBody, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /claims/{claim_id}/check-out"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await own_claim(kept.tx, claim_id, citizen)
        at, offline = read_code(posting, body.code, body.scanned_at, parts)
        after = domain.check_out(claim, at, parts.clock(), offline=offline)
        await keep(kept.tx, after)
        return await _answer(kept, after)


@router.post("/claims/{claim_id}/hours", response_model=ClaimView, summary="시간 확인 Say how long it was, each side")
async def post_hours(
    claim_id: UUID, body: HoursBody, principal: CitizenOrOfficer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """Alike from both sides: into the ledger. Unlike: a dispute, which the officer settles."""
    route = f"POST /claims/{claim_id}/hours"
    async with once(parts.database, principal=principal.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        officer = "officer" in principal.roles
        taken = institutions_claim if officer else own_claim
        claim, posting = await taken(kept.tx, claim_id, principal)
        after = domain.agree(claim, body.minutes, parts.clock(), officer=officer)
        await keep_hours(kept.tx, after, posting, parts)
        return await _answer(kept, after)


@router.post("/claims/{claim_id}/dispute", response_model=ClaimView, summary="이의 제기 Dispute what was settled")
async def post_dispute(
    claim_id: UUID, body: Because, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /claims/{claim_id}/dispute"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await own_claim(kept.tx, claim_id, citizen)
        after = domain.dispute(claim, body.reason, parts.clock())
        await keep_hours(kept.tx, after, posting, parts)
        return await _answer(kept, after)


@router.post(
    "/claims/{claim_id}/settle", response_model=ClaimView, summary="이의 결정 Settle a dispute, with the reason"
)
async def post_settle(
    claim_id: UUID, body: SettleBody, officer: Officer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """What the ledger said before is reversed line by line; nothing in it is changed."""
    route = f"POST /claims/{claim_id}/settle"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await institutions_claim(kept.tx, claim_id, officer)
        after = domain.settle(claim, body.minutes, body.reason, parts.clock())
        await keep_hours(kept.tx, after, posting, parts)
        return await _answer(kept, after)


@router.get("/ledger/{month}", summary="내 근무·보수 장부 My hours and pay in a month")
async def get_ledger(month: InMonth, citizen: Citizen, parts: UseJobs) -> LedgerView:
    async with parts.database.transaction() as tx:
        rows = await store.statement(tx, month, citizen=citizen.subject)
        minutes, krw = await store.total(tx, citizen.subject, month)
    lines = [LineView.model_validate(row, from_attributes=True) for row in rows]
    caps = caps_of(parts.settings)
    return LedgerView(
        month=month, lines=lines, minutes=minutes, pay_krw=krw, cap_minutes=int(caps.minutes), cap_krw=caps.krw
    )


@router.get("/ledger/{month}/statement", summary="월 명세서 Monthly statement, CSV or HTML", response_class=Response)
async def get_statement(
    month: InMonth, citizen: Citizen, parts: UseJobs, format: Literal["csv", "html"] = "html"
) -> Response:
    return await _statement(parts, month, f"{month} 근무 명세서", format, citizen=citizen.subject)


@router.get(
    "/institution/ledger/{month}/statement", summary="기관 월 명세서 The institution's", response_class=Response
)
async def get_institution_statement(
    month: InMonth, officer: Officer, parts: UseJobs, format: Literal["csv", "html"] = "csv"
) -> Response:
    title = f"{month} {officer.institution} 보수 명세서"
    return await _statement(parts, month, title, format, institution=str(officer.institution))


async def _statement(parts: JobsParts, month: str, title: str, format: str, **whose: str) -> Response:
    async with parts.database.transaction() as tx:
        lines = [_line(row) for row in await store.statement(tx, month, **whose)]
    if format == "html":
        return HTMLResponse(
            as_html(title, lines), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )
    name = f"statement-{month}.csv"
    return Response(
        as_csv(lines), media_type=CSV_TYPE, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _line(row: Row[Any]) -> StatementLine:
    note = ("정정 " if row.reverses else "") + (row.because or "")
    return StatementLine(
        row.starts_at, row.headline, row.place_name, row.institution, row.minutes, row.pay_krw, note.strip()
    )
