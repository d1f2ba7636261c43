"""Cards are read from KOSIS when they are due: asked outside any transaction, taken in within one. A failure is told and kept."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from services.notices import asking
from services.notices.asking import Failed, asked
from services.notices.kosis import store
from services.notices.kosis.domain import Source, next_look
from services.notices.parts import NoticesParts
from services.notices.statistics import store as statistics
from services.notices.statistics.domain import Statistic, given, state_of, tells_news
from services.notices.statistics.files import Series, of_kosis
from services.notices.statistics.handlers import add_series
from shared import telemetry
from shared.clock import SEOUL
from shared.outside import Outside
from shared.publishing import Parts
from shared.rules import Refused
from shared.web.problems import Problem

log = structlog.get_logger()

LEASE = timedelta(minutes=5)
AT_ONCE = 2
REASON = "KOSIS에서 읽음"


def client(*, private: bool) -> Outside:
    """One that is guarded as boards' is: never into our own network, wherever KOSIS redirects to."""
    return Outside(private=private, schemes=("https",), total_s=20.0)


async def look_at_due(parts: NoticesParts, outside: Outside) -> int:
    """Looks at what is due; returns how many."""
    if not parts.settings.kosis_api_key:
        return 0
    async with parts.database.transaction() as tx:
        sources = await store.take_due(tx, parts.clock(), LEASE, AT_ONCE)
    await asyncio.gather(*(_look_at(parts, outside, source) for source in sources))
    return len(sources)


async def _look_at(parts: NoticesParts, outside: Outside, source: Source) -> None:
    settings, now = parts.settings, parts.clock()
    try:
        await _read(parts, outside, source, now)
        telemetry.KOSIS_READ.labels("read").inc()
    except (Failed, Refused, Problem) as error:
        because = f"{error.rule}: {error}" if isinstance(error, Refused) else str(error)
        async with parts.database.transaction() as tx:
            due_at = next_look(source.failures + 1, settings.kosis_every_s, now)
            await store.failed(tx, source.statistic_id, now, due_at, because)
        telemetry.KOSIS_READ.labels("failed").inc()
        rule = error.rule if isinstance(error, Refused) else type(error).__name__
        log.warning("kosis_failed", statistic=str(source.statistic_id), because=rule, failures=source.failures + 1)


async def _read(parts: NoticesParts, outside: Outside, source: Source, now: datetime) -> None:
    """Raises Failed, Refused, Problem."""
    async with parts.database.transaction() as tx:
        card = await statistics.get(tx, source.statistic_id)
    if card is None:
        return
    raw, today = await _asked(parts, outside, source, card), now.astimezone(SEOUL).date()
    series: Series = await asyncio.to_thread(of_kosis, raw, card.about, today)
    async with parts.database.transaction() as tx:
        before = await statistics.get(tx, source.statistic_id, for_update=True)
        row = await store.get(tx, source.statistic_id)
        if (
            before is None
            or before.withdrawn_at is not None
            or row is None
            or store.source_of(row).asked != source.asked
        ):
            return  # withdrawn, left or read from elsewhere meanwhile
        # Figures are of the day on which KOSIS last told something new: the same answer again is no revision.
        known = given(state_of(await statistics.history(tx, before.id)))
        as_of = today if tells_news(known, series.figures) else before.as_of
        await add_series(tx, before, series, ("valid-rows", as_of, REASON), now)
        due_at = next_look(0, parts.settings.kosis_every_s, now)
        await store.was_read(tx, source.statistic_id, now, due_at, series.missing, len(series.errors))


async def _asked(parts: NoticesParts, outside: Outside, source: Source, card: Statistic) -> bytes:
    """Raises Failed; no word of the address, which holds the key."""
    settings = parts.settings
    url = source.asked.url(settings.kosis_url, settings.kosis_api_key, card.about.every)
    headers, most_bytes = {"Accept": "application/json"}, settings.statistics_max_bytes
    return (await asked(outside, url, headers=headers, most_bytes=most_bytes, redirects=2, good=(200,))).body


async def look_forever(parts: NoticesParts, outside: Outside) -> None:
    await asking.look_forever(
        "kosis", parts, lambda: look_at_due(parts, outside), store.failing, telemetry.KOSIS_FAILING.set
    )


async def none_keeps_failing(parts: Parts, failing_after: int) -> str | None:
    """For /readyz: told there, and makes nothing unready."""
    async with parts.database.transaction() as tx:
        count = await store.failing(tx, failing_after)
    return f"{count} cards could not be read from KOSIS {failing_after} times in a row or oftener" if count else None
