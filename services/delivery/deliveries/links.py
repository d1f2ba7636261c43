"""The links by which a message can be stopped: of its channel, its kind, its topics."""

from __future__ import annotations

from services.delivery.deliveries.domain import Pending
from shared.unsubscribe import Scope, UnsubscribeSettings, Unsubscription, link

MOST_TOPICS = 3


def links_of(settings: UnsubscribeSettings, citizen_id: str, item: Pending) -> dict[str, str]:
    """By what of the message they stop: `channel`, `kind`, `topic:<name>`. Signed, for this citizen alone."""
    wanted: list[tuple[str, Scope, str]] = [("kind", "kind", item.kind)]
    if item.content.get("channel"):
        wanted.append(("channel", "channel", item.content["channel"]))
    wanted += [(f"topic:{topic}", "topic", topic) for topic in item.content.get("topics", ())[:MOST_TOPICS]]
    return {name: link(settings, Unsubscription(citizen_id, scope, what)) for name, scope, what in wanted}
