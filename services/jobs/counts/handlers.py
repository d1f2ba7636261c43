"""Alerts, counted. Handlers neither commit nor read the clock (shared.messaging.consumer)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.jobs.counts import store
from shared.contracts import Alert
from shared.messaging.consumer import Handlers, Unit

GROUP = "jobs-counts"


async def on_alerts(alerts: Sequence[Alert], unit: Unit) -> None:
    await store.add_alerted(unit.tx, Counter(alert.posting_id for alert in alerts if alert.kind == "job"))


HANDLERS: Handlers = {Alert: on_alerts}
