"""Random histories of an offer, and what must hold of every one of them, whatever the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.contracts import Posting
from shared.offers.domain import Offer, closed
from shared.rules import Refused

NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)

Edit = Callable[[Any, dict[str, Any], datetime], Any]
Step = tuple[str, dict[str, Any] | str]


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def steps(changes: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[Step]]:
    """Edits, some of which break a rule, with a closing now and then."""
    edits = st.tuples(st.just("edit"), changes)
    closings = st.tuples(st.just("close"), st.sampled_from(["다 찼습니다", "비가 와서"]))
    return st.lists(st.one_of(edits, edits, edits, closings), max_size=8)


def walk(offer: Offer[Any], history: list[Step], edit: Edit, as_posting: Callable[[Any], Posting]) -> list[int]:
    """Take the steps and check each against the one before. Returns the versions that there were, each once."""
    versions = [offer.version]
    for i, (act, what) in enumerate(history, start=1):
        now = NOW + timedelta(seconds=i)
        after = _taken(offer, what, now, edit)
        if after is None:
            continue
        check_step(offer, after, now)
        assert as_posting(after).version == after.version
        assert act == "edit" or after.status == "closed"
        if after != offer:
            versions.append(after.version)
        offer = after
    return versions


def _taken(offer: Offer[Any], what: dict[str, Any] | str, now: datetime, edit: Edit) -> Offer[Any] | None:
    """The offer after the step; None where the rules refuse it."""
    try:
        return closed(offer, what, now) if isinstance(what, str) else edit(offer, what, now)
    except Refused:
        return None


def check_step(before: Offer[Any], after: Offer[Any], now: datetime) -> None:
    """A change is exactly one version on and dated; no change is the very same offer; closed is for good."""
    assert (after.id, after.institution, after.posted_by, after.created_at) == (
        before.id,
        before.institution,
        before.posted_by,
        before.created_at,
    )
    if after == before:
        return
    assert before.status == "open"
    assert (after.version, after.changed_at) == (before.version + 1, now)
    assert after.urgency_epoch - before.urgency_epoch in (0, 1)
    assert (after.status == "closed") == (after.closed_because is not None)
