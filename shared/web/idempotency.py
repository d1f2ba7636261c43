"""Idempotency-Key: the same request with the same key takes effect once and is answered alike.

The key is claimed in the transaction of the effect; a second request with it waits for the first to end, then is given
the stored answer. The same key with another body is refused (draft-ietf-httpapi-idempotency-key-header).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
_CLAIM_MANY = text("""
    INSERT INTO idempotency_key (principal, key, request_hash)
    SELECT * FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), CAST(:hashes AS text[])) AS one(principal, key, hash)
    ORDER BY principal, key ON CONFLICT DO NOTHING RETURNING principal, key
""")
_RELEASE = text("DELETE FROM idempotency_key WHERE principal = :principal AND key = :key")
_FORGET = text("DELETE FROM idempotency_key WHERE created_at < :before")


@dataclass(frozen=True)
class Keyed:
    """A request under its key: whose, which, and what was asked (`request_hash`)."""

    principal: str
    key: str
    request_hash: str


class Once:
    """A request's claim on its key. `response` is set when the request was answered before."""

    def __init__(self, tx: AsyncConnection, principal: str, key: str, response: JSONResponse | None) -> None:
        self.tx, self._principal, self._key, self.response = tx, principal, key, response

    async def answer(self, status: int, body: BaseModel, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """Keep the answer with the key, in the same transaction, and give it."""
        keyed = Keyed(self._principal, self._key, "")
        (response,) = await answer_many(self.tx, [(keyed, status, body, headers or {})])
        return response


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


async def claim_many(tx: AsyncConnection, asked: Sequence[Keyed]) -> set[Keyed]:
    """Claim the keys of many requests at once, no key twice among them. Those that are not in the answer were claimed
    before: `once` tells what became of them. Whoever of the others is refused must be `release_many`d.
    """
    names = ("principals", "principal"), ("keys", "key"), ("hashes", "request_hash")
    values = {plural: [getattr(one, name) for one in asked] for plural, name in names}
    claimed = {(row.principal, row.key) for row in await tx.execute(_CLAIM_MANY, values)}
    return {one for one in asked if (one.principal, one.key) in claimed}


async def answer_many(
    tx: AsyncConnection, answers: Sequence[tuple[Keyed, int, BaseModel, Mapping[str, str]]]
) -> list[JSONResponse]:
    """Keep the answers (status, body, headers) with their keys, in the transaction of the effects, and give them."""
    made = [
        (one, JSONResponse(jsonable_encoder(body), status, headers=dict(more))) for one, status, body, more in answers
    ]
    kept = [
        {"principal": one.principal, "key": one.key, "status": status, "headers": json.dumps(dict(more)),
         "body": bytes(response.body).decode()}
        for (one, response), (_, status, _, more) in zip(made, answers, strict=True)
    ]  # fmt: skip
    if kept:
        await tx.execute(_STORE, kept)
    return [response for _, response in made]


async def release_many(tx: AsyncConnection, refused: Sequence[Keyed]) -> None:
    """These were refused: they may be tried again under their keys."""
    if refused:
        await tx.execute(_RELEASE, [{"principal": one.principal, "key": one.key} for one in refused])


async def _replayed(tx: AsyncConnection, principal: str, key: str, wanted: str) -> JSONResponse:
    row: Any = (await tx.execute(_STORED, {"principal": principal, "key": key})).one()
    if row.request_hash != wanted:
        error = {"field": "header.Idempotency-Key", "rule": "idempotency-key-reused", "detail": "use a new key"}
        title = "같은 키로 다른 요청을 보냈습니다 / This key was used for another request"
        raise Problem(422, "idempotency-key-reused", title, errors=[error])
    return JSONResponse(row.body, row.status, headers={**row.headers, "Idempotent-Replayed": "true"})


async def forget_old(tx: AsyncConnection, now: datetime) -> None:
    await tx.execute(_FORGET, {"before": now - KEEP_FOR})
