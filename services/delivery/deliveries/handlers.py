"""Alerts, digests, postings and watches as they reach delivery. Handlers neither commit nor read the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row

from services.delivery.deliveries import store
from services.delivery.deliveries.domain import made_by_location
from services.delivery.letters import store as letters
from services.delivery.subscriptions.domain import Mode, next_digest
from shared.clock import SEOUL
from shared.contracts import Alert, Digest, Posting, Watch
from shared.contracts.digest import DigestItem
from shared.messaging.consumer import Handlers, Unit

WATCHED = {
    "citizen_id", "version", "consent_epoch", "located", "paused", "kinds", "quiet", "muted_channels", "muted_topics",
    "muted_postings", "digest_hour",
}  # fmt: skip
KEPT = {"id", "version", "urgency_epoch", "status", "headline", "starts_at", "ends_at", "expires_at", "link"}
TOLD = ("headline", "institution", "distance_m", "dong", "starts_at", "ends_at", "link")
UNKNOWN = 2_000_000_000  # later than any epoch or version
FIRST = timedelta(days=1)  # an emergency is due before everything else that is due


@dataclass(frozen=True)
class Hours:
    """When digests go out: the product's hour for who named none, and how long they settle."""

    hour: int
    settles: timedelta

    def next(self, target: Row[Any], mode: Mode, now: datetime) -> datetime:
        hour = self.hour if target.hour is None else target.hour
        return next_digest(mode, hour, target.weekday, now, self.settles)

    def struck(self, digest: Digest, target: Row[Any]) -> datetime:
        """The hour that matching made it for: one that comes late here belongs to the same mail, and is not a day late."""
        hour = self.hour if target.digest_hour is None else target.digest_hour
        return datetime.combine(digest.day, time(hour), SEOUL)


async def on_alerts(alerts: Sequence[Alert], unit: Unit, hours: Hours) -> None:
    """One delivery per alert and addressee: at once, when quiet hours end, or with the next digest.

    Letters first: whoever adds to the same letters has no row then that this would wait for.
    """
    targets = await _by_citizen(unit, {alert.citizen_id for alert in alerts})
    instant, gathered = list[dict[str, Any]](), list[dict[str, Any]]()
    for alert in alerts:
        for target in targets[alert.citizen_id]:
            mode: Mode = getattr(target, target.channel)
            if mode == "off" or alert.made_at < target.active_since:
                continue
            wanted_at = max(alert.made_at, alert.deferred_until or alert.made_at)
            if mode == "instant" or alert.emergency:
                due_at = max(unit.now, wanted_at) - (FIRST if alert.emergency else timedelta())
                instant.append(_row(alert, target, due_at, wanted_at))
            else:
                gathered.append(_row(alert, target, hours.next(target, mode, unit.now), wanted_at))
    await letters.gather(unit.tx, gathered)
    await store.add(unit.tx, instant)


async def on_digests(digests: Sequence[Digest], unit: Unit, hours: Hours) -> None:
    """What the day's budget left over: joins the addressee's own digest, or is one where they have none."""
    targets = await _by_citizen(unit, {digest.citizen_id for digest in digests})
    rows = []
    for digest in digests:
        for target in targets[digest.citizen_id]:
            mode: Mode = getattr(target, target.channel)
            if mode == "off" or digest.made_at < target.active_since:
                continue
            due_at = unit.now if mode == "instant" else hours.next(target, mode, hours.struck(digest, target))
            rows += [_row_of_item(item, digest, target, due_at) for item in digest.items]
    await letters.gather(unit.tx, rows)


async def on_postings(postings: Sequence[Posting], unit: Unit) -> None:
    """What is known of a posting when something about it is due."""
    newest = {posting.id: posting for posting in sorted(postings, key=lambda posting: posting.version)}
    rows = [
        {**posting.model_dump(mode="json", include=KEPT), "channel": posting.audience.channel,
         "topics": list(posting.audience.interests)}
        for posting in sorted(newest.values(), key=lambda posting: posting.id)
    ]  # fmt: skip
    await store.put_postings(unit.tx, rows)


async def on_watches(watches: Sequence[Watch], unit: Unit) -> None:
    """What a citizen muted, when they want quiet, and whether their location may still be acted upon (M9)."""
    newest = {watch.citizen_id: watch for watch in sorted(watches, key=lambda watch: watch.version)}
    rows = [newest[citizen].model_dump(mode="json", include=WATCHED) for citizen in sorted(newest)]
    await store.put_citizens(unit.tx, rows)


def handlers(hours: Hours) -> Handlers:
    """The HANDLERS table, with the hours of this installation."""
    return {
        Alert: partial(on_alerts, hours=hours), Digest: partial(on_digests, hours=hours), Posting: on_postings, Watch: on_watches,
    }  # fmt: skip


async def _by_citizen(unit: Unit, citizens: set[str]) -> defaultdict[str, list[Row[Any]]]:
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for target in await store.targets_of(unit.tx, sorted(citizens)):
        found[target.citizen_id].append(target)
    return found


def _told(what: Alert | DigestItem) -> dict[str, Any]:
    """By hand, for a digest to everybody is hundreds of thousands of these."""
    return {name: getattr(what, name) for name in TOLD}


def _row(alert: Alert, target: Row[Any], due_at: datetime, wanted_at: datetime) -> dict[str, Any]:
    return {
        "alert_id": alert.id, "target_id": target.id, "citizen_id": alert.citizen_id, "channel": target.channel,
        "posting_id": alert.posting_id, "posting_version": alert.posting_version, "urgency_epoch": alert.urgency_epoch,
        "kind": alert.kind, "urgent": alert.urgent, "emergency": alert.emergency, "located": made_by_location(alert.why.rule),
        "watch_version": alert.why.watch_version, "content": _told(alert) | {"reminder": alert.reminder},
        "expires_at": alert.expires_at, "due_at": due_at, "wanted_at": wanted_at,
    }  # fmt: skip


def _row_of_item(item: DigestItem, digest: Digest, target: Row[Any], due_at: datetime) -> dict[str, Any]:
    """Of a digest only what came before its addressee did is new here. An item that a position made does not say under which
    settings: it counts as made under the consent of now.
    """
    version = UNKNOWN if target.watch_version is None else target.watch_version
    return {
        "alert_id": item.alert_id, "target_id": target.id, "citizen_id": digest.citizen_id, "channel": target.channel,
        "posting_id": item.posting_id, "posting_version": item.posting_version, "urgency_epoch": UNKNOWN, "kind": item.kind,
        "urgent": item.urgent, "located": item.located, "watch_version": version,
        "content": _told(item), "expires_at": item.expires_at, "due_at": due_at, "wanted_at": digest.made_at,
    }  # fmt: skip
