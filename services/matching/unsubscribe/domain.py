"""What a one-tap unsubscribe changes in a citizen's settings, and in which words it asks (N6). Pure."""

from __future__ import annotations

from typing import Any

from services.matching.watches.domain import MOST_CHANNELS
from shared.contracts import Watch
from shared.contracts.base import Kind
from shared.rules import Refused
from shared.unsubscribe import Scope, Unsubscription

KINDS: tuple[Kind, ...] = ("job", "space", "notice")
NAMES = {"job": ("일자리", "jobs"), "space": ("공간", "spaces"), "notice": ("소식", "notices")}
HERE: tuple[Scope, ...] = ("channel", "topic", "kind")
MOST_TOPICS = 200


def is_ours(wanted: Unsubscription | None) -> bool:
    """Whether the link asks for something that is done here; one for the mail is not."""
    return wanted is not None and wanted.scope in HERE and (wanted.scope != "kind" or wanted.what in KINDS)


def stopped(watch: Watch | None, wanted: Unsubscription) -> dict[str, Any]:
    """The settings that change; empty where it was stopped before. Raises Refused when as many are muted as may be."""
    if wanted.scope == "kind":
        kinds = watch.kinds if watch is not None else KINDS
        return {"kinds": tuple(kind for kind in kinds if kind != wanted.what)} if wanted.what in kinds else {}
    field, most = ("muted_channels", MOST_CHANNELS) if wanted.scope == "channel" else ("muted_topics", MOST_TOPICS)
    muted: tuple[str, ...] = getattr(watch, field) if watch is not None else ()
    if wanted.what in muted:
        return {}
    if len(muted) >= most:
        raise Refused(field, "too-many-muted", f"{most} are muted already")
    return {field: (*muted, wanted.what)}


def named(scope: Scope, what: str) -> tuple[str, str]:
    """What is stopped, in Korean and English."""
    if scope == "kind":
        ko, en = NAMES.get(what, (what, what))
        return f"{ko} 알림 전체", f"all {en}"
    if scope == "channel":
        return f"‘{what}’ 채널의 알림", f"everything of the channel “{what}”"
    return f"‘{what}’ 주제의 알림", f"everything on the topic “{what}”"


def stoppable(kind: str, channel: str | None, topics: tuple[str, ...]) -> list[tuple[Scope, str]]:
    """By what an alert can be stopped."""
    found: list[tuple[Scope, str]] = [] if channel is None else [("channel", channel)]
    return [*found, *(("topic", topic) for topic in topics), ("kind", kind)]
