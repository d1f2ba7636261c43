"""Cursor pagination: opaque, stable under inserts, flat in time (keyset, never OFFSET)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from shared.web.problems import invalid

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[str | None, Query(max_length=200, description="next_cursor of the page before")]


class Page(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(at: datetime, id_: UUID) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(id_)]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Raises a 422 problem for a cursor this service did not make."""
    if cursor is None:
        return None
    try:
        at, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("a cursor's time has a zone")
        return moment.astimezone(UTC), UUID(id_)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
        raise invalid("query.cursor", "cursor", "not a cursor of this list") from None


def page_of(rows: Sequence[T], limit: int, cursor_of: Sequence[tuple[datetime, UUID]]) -> Page[T]:
    """`rows` were fetched with limit + 1: the extra one only says that there is more."""
    more = len(rows) > limit
    return Page(items=list(rows[:limit]), next_cursor=encode_cursor(*cursor_of[limit - 1]) if more else None)
