"""The route of search over notices."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from services.notices.parts import UseNotices
from services.notices.search import store
from services.notices.search.domain import asked
from services.notices.search.models import FoundView
from shared.contracts.base import NO_NUL
from shared.rules import Refused
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import invalid

router = APIRouter(tags=["검색 search"])

Words = Annotated[str, Query(min_length=2, max_length=100, pattern=NO_NUL, description="words that must all be there")]


@router.get("/search", summary="소식 검색 Search notices, newest first")
async def search_notices(
    q: Words, parts: UseNotices, status: Literal["open", "all"] = "open", limit: Limit = 20, cursor: Cursor = None
) -> Page[FoundView]:
    """Spaces and case do not matter. Found words are marked as pieces of plain text, never as HTML."""
    try:
        query = asked(q)
    except Refused as refused:
        raise invalid("query.q", refused.rule, refused.detail) from None
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.search(tx, query, after, limit, parts.clock(), open_only=status == "open")
    return page_of([FoundView.of(row, query) for row in rows], limit, [(row.created_at, row.id) for row in rows])
