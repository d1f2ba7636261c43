"""Alerts as bytes, fast: what a posting's alerts have in common is encoded once per version of the posting.

The bytes are those of the contract (shared.contracts.Alert); tests/contract holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha1
from typing import Any
from uuid import UUID

import msgspec

from services.matching.engine.engine import Match
from services.matching.watches.domain import free_spans, has_windows, quiet_until
from shared.contracts import Alert, Posting, Watch
from shared.contracts.alert import ALERT_NAMESPACE, distance_bucket_m

_encode = msgspec.json.Encoder().encode
_NAMESPACE = ALERT_NAMESPACE.bytes
_SHARED = (
    "urgency_epoch", "urgent", "kind", "headline", "institution", "starts_at", "ends_at", "expires_at", "shows", "link",
)  # fmt: skip
_FIXED_HEADERS = [
    ("ce_specversion", b"1.0"), ("ce_type", Alert.TYPE.encode()), ("ce_source", b"/services/matching"),
    ("content-type", b"application/json"),
]  # fmt: skip

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]


def fast_alert_id(citizen_id: str, posting_id: str, urgency_epoch: int) -> str:
    """As shared.contracts.alert.alert_id: a version 5 UUID (RFC 9562 §5.5), without building the object."""
    digest = bytearray(
        sha1(_NAMESPACE + f"{citizen_id}\n{posting_id}\n{urgency_epoch}".encode(), usedforsecurity=False).digest()[:16]
    )
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class AlertWriter:
    """Turns matches into records for `alerts.v1`. Holds one encoded fragment per posting."""

    def __init__(self) -> None:
        self._fragments: dict[UUID, tuple[int, str, bytes]] = {}

    def record(
        self,
        match: Match,
        posting: Posting,
        watch: Watch,
        *,
        dong: str | None,
        caused_at: bytes,
        now: datetime,
        made_at: bytes,
    ) -> Record:
        """(key, value, headers) of one alert."""
        posting_id, fragment = self._fragment(posting)
        id_ = fast_alert_id(watch.citizen_id, posting_id, posting.urgency_epoch)
        distance = b"null" if match.distance_m is None else b"%d" % distance_bucket_m(match.distance_m)
        quiet = quiet_until(watch.quiet, now) if watch.quiet is not None else None
        body = b"".join((
            b'{"id":"', id_.encode(), b'","citizen_id":', _encode(watch.citizen_id), fragment,
            b',"distance_m":', distance, b',"dong":', _encode(dong), b',"why":', self._why(match, posting, watch, now),
            b',"deferred_until":', _encode(quiet and quiet.astimezone(UTC)), b',"caused_at":', caused_at, b',"made_at":', made_at, b"}",
        ))  # fmt: skip
        headers = [*_FIXED_HEADERS, ("ce_id", id_.encode()), ("ce_time", made_at.strip(b'"'))]
        return watch.citizen_id.encode(), body, headers

    def _fragment(self, posting: Posting) -> tuple[str, bytes]:
        known = self._fragments.get(posting.id)
        if known is None or known[0] != posting.version:
            whole: dict[str, Any] = posting.model_dump(mode="json", include=set(_SHARED))
            fields = {
                "posting_id": str(posting.id),
                "posting_version": posting.version,
                **{name: whole[name] for name in _SHARED},
            }
            known = posting.version, str(posting.id), b"," + _encode(fields)[1:-1]
            self._fragments[posting.id] = known
        return known[1], known[2]

    def forget(self, posting_id: UUID) -> None:
        self._fragments.pop(posting_id, None)

    def _why(self, match: Match, posting: Posting, watch: Watch, now: datetime) -> bytes:
        reach_m = None if match.distance_m is None else _reach_m(posting, watch, now)
        if not watch.interests and not (posting.kind == "job" and has_windows(watch)):
            by = b'"in_dong"' if reach_m is None else b'"within_radius","reach_m":%d' % reach_m
            return b'{"cause":"%s","watch_version":%d,"rule":%s}' % (match.cause.encode(), watch.version, by)
        span = next((s for s in free_spans(watch, now) if s.holds(now)), None) if posting.kind == "job" else None
        why: dict[str, Any] = {"cause": match.cause, "watch_version": watch.version, "reach_m": reach_m}
        why["rule"] = "in_dong" if reach_m is None else "within_radius"
        why["matched_interests"] = [i for i in posting.audience.interests if i in watch.interests]
        if span is not None:
            why |= {"window_starts_at": span.starts_at.astimezone(UTC), "window_ends_at": span.ends_at.astimezone(UTC)}
        return _encode(why)


def _reach_m(posting: Posting, watch: Watch, now: datetime) -> int | None:
    """The widest circle as it is now, at most the citizen's own radius: a setting, which tells no distance."""
    if not posting.where.circles:
        return None
    widest_m = max(circle.radius_m for circle in posting.where.circles)
    if posting.widens is not None:
        widest_m = posting.widens.radius_m(widest_m, now)
    return min(widest_m, watch.radius_m or widest_m)
