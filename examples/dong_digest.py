"""A public board of how busy each 행정동 is: alerts by 동, kind and hour. A whole event consumer in one file.

    ./dev run examples.dong_digest        beside ./dev up; then open http://127.0.0.1:28200/
    python -m examples.dong_digest        anywhere, with GWANGSAN_KAFKA_URL and GWANGSAN_POSTGRES_URL set

It reads `alerts.v1` under its own group into its own database and knows nothing else of the platform. CONTRIBUTING.md
("how to add an event consumer") walks through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from sqlalchemy import text

from shared import runtime
from shared.clock import SEOUL, Clock, utc_now
from shared.contracts import Alert
from shared.contracts.alert import ALERTS
from shared.contracts.base import Kind
from shared.database import Database, create_if_missing
from shared.messaging.consumer import Consumer, Handlers, Unit
from shared.messaging.tables import PLATFORM_TABLES
from shared.settings import PlatformSettings
from shared.web import create_app, serve

GROUP = DATABASE = "dong_digest"
SCHEMA_LOCK = 0x646F6E67  # "dong"
SEVERAL = "여러 동"
KINDS: dict[Kind, str] = {"job": "일자리", "space": "공간", "notice": "소식"}

_TABLE = """
    CREATE TABLE alert_count (
        dong text NOT NULL,
        kind text NOT NULL,
        hour timestamptz NOT NULL,
        alerts integer NOT NULL,
        PRIMARY KEY (hour, dong, kind)
    )
"""
_ADD = text(
    "INSERT INTO alert_count (dong, kind, hour, alerts) VALUES (:dong, :kind, :hour, :alerts) "
    "ON CONFLICT (hour, dong, kind) DO UPDATE SET alerts = alert_count.alerts + excluded.alerts"
)
_SINCE = text(
    "SELECT dong, kind, hour, CASE WHEN alerts >= :fewest THEN alerts END AS alerts FROM alert_count "
    "WHERE hour >= :since ORDER BY hour DESC, dong, kind"
)


class Settings(PlatformSettings):
    """The platform's settings and what this consumer adds."""

    port: int = Field(28_200, ge=0, le=65_535, description="port of the board, its health and its metrics")
    fewest_shown: int = Field(5, ge=1, description="smaller counts are not shown; this one is")


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    settings: Settings
    database: Database
    clock: Clock


class Count(BaseModel):
    """Alerts of one kind in one 동 and hour; null where they are too few to be shown."""

    dong: str
    kind: Kind
    hour: datetime
    alerts: int | None


class Board(BaseModel):
    """Newest hour first. An hour without a row had no alerts."""

    since: datetime
    fewest_shown: int
    counts: list[Count]


async def on_alerts(alerts: Sequence[Alert], unit: Unit) -> None:
    """Add what is new. The boundary has left out what this group has counted before, and commits with its marks.

    The hour is the alert's own, never that of the clock, so that a replay counts as the first run did.
    """
    counted = Counter((alert.made_at.replace(minute=0, second=0, microsecond=0), alert.dong or SEVERAL, alert.kind)
                      for alert in alerts)  # fmt: skip
    # Sorted, so that two members of the group lock rows in one order.
    rows = [
        {"dong": dong, "kind": kind, "hour": hour, "alerts": count}
        for (hour, dong, kind), count in sorted(counted.items())
    ]
    await unit.tx.execute(_ADD, rows)


router = APIRouter()
Hours = Annotated[int, Query(ge=1, le=168, description="how far back, this hour included")]


@router.get("/counts", summary="동별 알림 수 Alerts by 동, kind and hour")
async def get_counts(request: Request, hours: Hours = 24) -> Board:
    """Public: no person is in it, and no count small enough to point at one."""
    parts: Parts = request.app.state.parts
    this_hour = parts.clock().replace(minute=0, second=0, microsecond=0)
    since, fewest = this_hour - timedelta(hours=hours - 1), parts.settings.fewest_shown
    async with parts.database.transaction() as tx:
        rows = await tx.execute(_SINCE, {"since": since, "fewest": fewest})
        return Board(since=since, fewest_shown=fewest, counts=[Count.model_validate(row._asdict()) for row in rows])


@router.get("/", include_in_schema=False)
async def get_page(request: Request, hours: Hours = 24) -> HTMLResponse:
    return HTMLResponse(page(await get_counts(request, hours)), headers={"Cache-Control": "max-age=30"})


def page(board: Board) -> str:
    """The board as one table that reads well without a style sheet."""
    rows = "".join(
        f"<tr><td>{count.hour.astimezone(SEOUL):%m-%d %H시}</td><th scope=row>{escape(count.dong)}</th>"
        f"<td>{KINDS[count.kind]}</td><td>{f'{board.fewest_shown}건 미만' if count.alerts is None else count.alerts}</td></tr>"
        for count in board.counts
    )
    return (
        "<!doctype html><html lang=ko><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>동별 알림</title><table><caption>동별 알림 수</caption><thead><tr><th scope=col>시각<th scope=col>동"
        f"<th scope=col>종류<th scope=col>알림</tr></thead><tbody>{rows}</tbody></table></html>"
    )


async def prepare(database: Database) -> None:
    """The database with the platform's tables and our one, made at the first start. Two starting at once wait."""
    await create_if_missing(database.url)
    async with database.transaction() as tx:
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
        if (await tx.execute(text("SELECT to_regclass('alert_count')"))).scalar() is None:
            for statement in (*PLATFORM_TABLES, _TABLE):
                await tx.execute(text(statement))


def build(settings: Settings, *, group: str = GROUP, clock: Clock = utc_now) -> FastAPI:
    """Wire it: a database, a consumer, two routes, health as every worker tells it."""
    database = Database(settings.database_url(DATABASE), pool_size=2)
    handlers: Handlers = {Alert: on_alerts}
    consumer = Consumer(settings, database, group=group, topics=[ALERTS.name], handlers=handlers, clock=clock)

    async def alerts_flow() -> str | None:
        return consumer.progress.problem()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await prepare(database)
        async with runtime.background() as chores, runtime.background(grace_s=20.0) as work:
            chores.start("prune", runtime.prune_forever(database, clock))
            work.start("alerts", consumer.run())
            yield
            consumer.stop()
        await database.close()

    checks = {"database": database.answers, "alerts": alerts_flow}
    app = create_app("dong-digest", settings, routers=[router], checks=checks, lifespan=lifespan)
    app.state.parts = Parts(settings, database, clock)
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
