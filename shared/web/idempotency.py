"""Idempotency-Key: the same request with the same key takes effect once and is answered alike.

The key is claimed in the transaction of the effect; a second request with it waits for the first to end, then is given
the stored answer. The same key with another body is refused (draft-ietf-httpapi-idempotency-key-header).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database
from shared.web.bodies import Storable
from shared.web.problems import Problem

IdempotencyKey = Annotated[
    Storable, Header(alias="Idempotency-Key", min_length=8, max_length=200, description="makes a repeated request safe")
]
KEEP_FOR = timedelta(hours=48)

_CLAIM = text(
    "INSERT INTO idempotency_key (principal, key, request_hash) VALUES (:principal, :key, :hash) "
    "ON CONFLICT DO NOTHING RETURNING key"
)
_STORED = text(
    "SELECT request_hash, status, headers, body FROM idempotency_key WHERE principal = :principal AND key = :key"
)
_STORE = text(
    "UPDATE idempotency_key SET status = :status, headers = CAST(:headers AS jsonb), body = CAST(:body AS jsonb) "
    "WHERE principal = :principal AND key = :key"
)
_FORGET = text("DELETE FROM idempotency_key WHERE created_at < :before")


class Once:
    """A request's claim on its key. `response` is set when the request was answered before."""

    def __init__(self, tx: AsyncConnection, principal: str, key: str, response: JSONResponse | None) -> None:
        self.tx, self._principal, self._key, self.response = tx, principal, key, response

    async def answer(self, status: int, body: BaseModel, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """Keep the answer with the key, in the same transaction, and give it."""
        content, kept = jsonable_encoder(body), dict(headers or {})
        await self.tx.execute(
            _STORE,
            {
                "principal": self._principal,
                "key": self._key,
                "status": status,
                "headers": json.dumps(kept),
                "body": json.dumps(content),
            },
        )
        return JSONResponse(content, status, headers=kept)


def request_hash(route: str, body: BaseModel | None) -> str:
    content = "" if body is None else body.model_dump_json()
    return hashlib.sha256(f"{route}\n{content}".encode()).hexdigest()


@asynccontextmanager
async def once(
    database: Database, *, principal: str, key: str, route: str, body: BaseModel | None = None
) -> AsyncIterator[Once]:
    """One transaction under one key. A raised Problem rolls all back, so a refused request may be tried again."""
    wanted = request_hash(route, body)
    async with database.transaction() as tx:
        claimed = (await tx.execute(_CLAIM, {"principal": principal, "key": key, "hash": wanted})).first()
        yield Once(tx, principal, key, None if claimed else await _replayed(tx, principal, key, wanted))


async def _replayed(tx: AsyncConnection, principal: str, key: str, wanted: str) -> JSONResponse:
    row: Any = (await tx.execute(_STORED, {"principal": principal, "key": key})).one()
    if row.request_hash != wanted:
        error = {"field": "header.Idempotency-Key", "rule": "idempotency-key-reused", "detail": "use a new key"}
        title = "같은 키로 다른 요청을 보냈습니다 / This key was used for another request"
        raise Problem(422, "idempotency-key-reused", title, errors=[error])
    return JSONResponse(row.body, row.status, headers={**row.headers, "Idempotent-Replayed": "true"})


async def forget_old(tx: AsyncConnection, now: datetime) -> None:
    await tx.execute(_FORGET, {"before": now - KEEP_FOR})
