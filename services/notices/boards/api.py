"""Routes of boards: which are read for the institution, how they do, what came; and a board's file given by hand."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.notices.boards import store
from services.notices.boards.handlers import add_board, take_in
from services.notices.boards.models import BoardBody, BoardItemView, BoardView, ReadReport
from services.notices.boards.reading import items_of
from services.notices.channels.handlers import entitled
from services.notices.limits import limited
from services.notices.parts import UseNotices
from shared.auth import Officer
from shared.web.idempotency import IdempotencyKey, once
from shared.web.problems import Problem, not_found

router = APIRouter(prefix="/boards", tags=["게시판 가져오기 boards"])
writes = [limited("writes")]
A_FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}


class _File(BaseModel):
    digest: str


@router.get("", summary="읽어 오는 게시판 Boards that are read, and how they do")
async def list_boards(officer: Officer, parts: UseNotices) -> list[BoardView]:
    async with parts.database.transaction() as tx:
        rows = await store.of_institution(tx, str(officer.institution))
    return [BoardView.of(row, parts.settings.boards_failing_after) for row in rows]


@router.post("", status_code=201, response_model=BoardView, dependencies=writes, summary="게시판 읽기 Read a board")
async def post_board(body: BoardBody, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    """What comes becomes drafts; an officer approves and publishes them as any other."""
    async with once(parts.database, principal=officer.subject, key=key, route="POST /boards", body=body) as claim:
        if claim.response is not None:
            return claim.response
        await entitled(claim.tx, officer, "author")
        row = await add_board(claim.tx, body, officer, parts.settings, parts.clock())
        return await claim.answer(201, BoardView.of(row, parts.settings.boards_failing_after))


@router.delete("/{board_id}", status_code=204, dependencies=writes, summary="그만 읽기 Read it no more")
async def delete_board(board_id: UUID, officer: Officer, parts: UseNotices) -> None:
    async with parts.database.transaction() as tx:
        await entitled(tx, officer, "author")
        if not await store.remove(tx, board_id, str(officer.institution)):
            raise not_found("board")


@router.post("/{board_id}/look", dependencies=writes, summary="지금 읽기 Look at it now")
async def look_at_board(board_id: UUID, officer: Officer, parts: UseNotices) -> BoardView:
    """It is due from now: the reader comes to it within a tick. Asking twice is asking once."""
    async with parts.database.transaction() as tx:
        row = await store.look_now(tx, board_id, str(officer.institution), parts.clock())
    if row is None:
        raise not_found("board")
    return BoardView.of(row, parts.settings.boards_failing_after)


@router.get("/{board_id}/items", summary="가져온 것 What came from it, newest first")
async def list_board_items(board_id: UUID, officer: Officer, parts: UseNotices) -> list[BoardItemView]:
    async with parts.database.transaction() as tx:
        if await store.get(tx, board_id, str(officer.institution)) is None:
            raise not_found("board")
        rows = await store.items(tx, board_id)
    return [BoardItemView.model_validate(row._asdict(), extra="ignore") for row in rows]


@router.post("/{board_id}/import", response_model=ReadReport, dependencies=writes, openapi_extra=A_FILE,
             summary="파일로 가져오기 Take in a file as if the board had sent it")  # fmt: skip
async def import_board_file(
    board_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseNotices
) -> Response:
    raw, now = await _body(request, parts.settings.boards_max_bytes), parts.clock()
    seen = _File(digest=hashlib.sha256(raw).hexdigest())
    route = f"POST /boards/{board_id}/import"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as claim:
        if claim.response is not None:
            return claim.response
        await entitled(claim.tx, officer, "author")
        row = await store.lock(claim.tx, board_id)
        if row is None or row.institution != officer.institution:
            raise not_found("board")
        items = await asyncio.to_thread(items_of, raw, row.kind, now, request.headers.get("content-type", ""))
        return await claim.answer(200, await take_in(claim.tx, store.board_of(row), items, parts.settings, now))


async def _body(request: Request, most_bytes: int) -> bytes:
    """Read no further than is taken."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most_bytes:
            title = "파일이 너무 큽니다 / The file is too large"
            raise Problem(413, "too-large", title, most_bytes=most_bytes)
    return bytes(read)
