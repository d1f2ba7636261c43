"""Alerts as bytes, fast: what a posting's alerts have in common is encoded once per version of the posting.

The bytes are those of the contract (shared.contracts.Alert); tests/contract holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    "urgency_epoch", "urgent", "emergency", "kind", "headline", "institution", "starts_at", "ends_at", "expires_at", "shows", "link",
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


@dataclass(frozen=True)
class _Fragment:
    """What all alerts of one version of a posting have in common."""

    version: int
    about: str
    fields: bytes
    dong: bytes
    widest_m: int | None


class AlertWriter:
    """Turns matches into records for `alerts.v1`. Holds one encoded fragment per posting."""

    def __init__(self) -> None:
        self._fragments: dict[UUID, _Fragment] = {}

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
        common = self._fragments.get(posting.id)
        if common is None or common.version != posting.version:
            common = self._fragments[posting.id] = _fragment(posting, dong)
        id_ = fast_alert_id(watch.citizen_id, common.about, posting.urgency_epoch).encode()
        distance = b"null" if match.distance_m is None else b"%d" % distance_bucket_m(match.distance_m)
        quiet = quiet_until(watch.quiet, now) if watch.quiet is not None and not posting.emergency else None
        deferred = b"null" if quiet is None else _encode(quiet.astimezone(UTC))
        body = b"".join((
            b'{"id":"', id_, b'","citizen_id":', _encode(watch.citizen_id), common.fields,
            b',"distance_m":', distance, b',"dong":', common.dong, b',"why":', self._why(match, posting, watch, common.widest_m, now),
            b',"deferred_until":', deferred, b',"caused_at":', caused_at, b',"made_at":', made_at, b"}",
        ))  # fmt: skip
        headers = [*_FIXED_HEADERS, ("ce_id", id_), ("ce_time", made_at[1:-1])]
        return watch.citizen_id.encode(), body, headers

    def forget(self, posting_id: UUID) -> None:
        self._fragments.pop(posting_id, None)

    def _why(self, match: Match, posting: Posting, watch: Watch, widest_m: int | None, now: datetime) -> bytes:
        reach_m = _reach_m(posting, watch, widest_m, now) if match.rule == "within_radius" else None
        if not watch.interests and not (posting.kind == "job" and has_windows(watch)):
            reach = b"" if reach_m is None else b',"reach_m":%d' % reach_m
            told = match.cause.encode(), watch.version, match.rule.encode(), reach
            return b'{"cause":"%s","watch_version":%d,"rule":"%s"%s}' % told
        span = next((s for s in free_spans(watch, now) if s.holds(now)), None) if posting.kind == "job" else None
        why: dict[str, Any] = {"cause": match.cause, "watch_version": watch.version, "reach_m": reach_m}
        why["rule"] = match.rule
        why["matched_interests"] = [i for i in posting.audience.interests if i in watch.interests]
        if span is not None:
            why |= {"window_starts_at": span.starts_at.astimezone(UTC), "window_ends_at": span.ends_at.astimezone(UTC)}
        return _encode(why)


def _fragment(posting: Posting, dong: str | None) -> _Fragment:
    whole: dict[str, Any] = posting.model_dump(mode="json", include=set(_SHARED))
    fields = {"posting_id": str(posting.id), "posting_version": posting.version, **{n: whole[n] for n in _SHARED}}
    widest_m = max((circle.radius_m for circle in posting.where.circles), default=None)
    return _Fragment(
        posting.version, str(posting.subject or posting.id), b"," + _encode(fields)[1:-1], _encode(dong), widest_m
    )


def _reach_m(posting: Posting, watch: Watch, widest_m: int | None, now: datetime) -> int | None:
    """The widest circle as it is now, at most the citizen's own radius: a setting, which tells no distance."""
    if widest_m is None:
        return None
    if posting.widens is not None:
        widest_m = posting.widens.radius_m(widest_m, now)
    return min(widest_m, watch.radius_m or widest_m)
