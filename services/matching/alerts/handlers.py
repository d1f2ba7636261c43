"""Alerts and postings as they reach the inbox. Handlers neither commit nor read the clock (shared.messaging.consumer)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from services.matching.alerts import store
from services.matching.consent import store as consents
from services.matching.digests.domain import Budget
from services.matching.digests.handlers import keep_budget
from services.matching.stream.wakeups import digest
from shared import telemetry
from shared.contracts import Alert, Posting
from shared.contracts.job import CapReached
from shared.contracts.watch import QuietHours
from shared.messaging.consumer import Handlers, Unit

BUDGET = Budget()
POSTING_FIELDS = {
    "id", "version", "status", "closed_because", "headline", "starts_at", "ends_at", "expires_at", "link", "institution",
    "urgency_epoch", "deadline",
}  # fmt: skip


async def on_alerts(
    alerts: Sequence[Alert], unit: Unit, budget: Budget = BUDGET, quiet: QuietHours | None = None
) -> None:
    """Write what is new and still true, tell it within the day's budget, and wake its citizens' streams."""
    await store.in_order(unit.tx, {alert.citizen_id for alert in alerts})
    body = f"[{','.join(alert.model_dump_json() for alert in alerts)}]"
    until = quiet.until(unit.now) if quiet is not None else None
    written = await store.add(unit.tx, body, sorted({alert.posting_id for alert in alerts}), unit.now, until)
    await consents.record_uses(unit.tx, [row.citizen_id for row in written if row.located], "used", "alert", unit.now)
    told = await keep_budget(unit.tx, [row for row in written if row.state == "open"], budget, unit.now)
    await store.notify(unit.tx, sorted({digest(citizen) for citizen in told}))
    telemetry.INBOX_WRITTEN.labels("told").inc(len(written))
    telemetry.INBOX_WRITTEN.labels("known_or_over").inc(len(alerts) - len(written))


async def on_postings(postings: Sequence[Posting], unit: Unit) -> None:
    """Every alert about a posting follows it: 마감 when it closes, 수정됨 when it is edited."""
    await store.in_order(unit.tx)
    touched: set[str] = set()
    for posting in postings:
        values = {
            **posting.model_dump(include=POSTING_FIELDS),
            "shows": posting.shows.model_dump_json(), "because": posting.closed_because, "now": unit.now,
            "channel": posting.audience.channel, "topics": list(posting.audience.interests),
            "place_key": sha256(posting.where.model_dump_json().encode()).hexdigest(),
        }  # fmt: skip
        below = await store.put_posting(unit.tx, values)
        if below is None:
            continue
        if below:
            touched.update(await store.retract_items(unit.tx, values, below))
        follow = store.close_items if posting.status == "closed" else store.update_items
        touched.update(await follow(unit.tx, values))
    await store.notify(unit.tx, sorted(digest(citizen) for citizen in touched))


async def on_caps(caps: Sequence[CapReached], unit: Unit) -> None:
    """At the monthly cap job alerts stop (J6)."""
    for cap in caps:
        await store.put_cap(unit.tx, cap.model_dump())


POSTING_HANDLERS: Handlers = {Posting: on_postings}
CAP_HANDLERS: Handlers = {CapReached: on_caps}


def alert_handlers(budget: Budget, quiet: QuietHours | None = None) -> Handlers:
    """`quiet`: the hours in which notices wait for citizens who named none of their own (N3)."""
    return {Alert: partial(on_alerts, budget=budget, quiet=quiet)}
