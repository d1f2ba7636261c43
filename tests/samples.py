"""Realistic events for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from shared.contracts import Alert, Fix, Posting
from shared.contracts.alert import Why, alert_id

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def posting(id_: UUID | None = None, version: int = 1, **changed: Any) -> Posting:
    """A job at a senior centre in 수완동, open for a day."""
    whole: dict[str, Any] = {
        "id": id_ or uuid4(),
        "kind": "job",
        "version": version,
        "status": "open",
        "where": {"circles": [{"lat": 35.1915, "lon": 126.8231, "radius_m": 700}]},
        "headline": "경로당 점심 배식 도우미 2시간",
        "institution": "수완동 행정복지센터",
        "starts_at": NOW + timedelta(hours=3),
        "ends_at": NOW + timedelta(hours=5),
        "expires_at": NOW + timedelta(days=1),
        "shows": {"place": "수완 경로당", "pay_krw": 10_320, "pay_per": "hour"},
        "link": "/jobs/1",
        "changed_at": NOW,
    }
    return Posting.model_validate({**whole, **changed})


def fix(citizen_id: str = "citizen:하늘", **changed: Any) -> Fix:
    """A fix near 수완동."""
    whole: dict[str, Any] = {
        "citizen_id": citizen_id,
        "lat": 35.1907,
        "lon": 126.8222,
        "accuracy_m": 12.5,
        "observed_at": NOW,
        "received_at": NOW,
        "consent_epoch": 1,
    }
    return Fix.model_validate({**whole, **changed})


def alert(citizen_id: str = "citizen:하늘", about: Posting | None = None, **changed: Any) -> Alert:
    """What a citizen is told of a posting 400 m away."""
    told = about or posting()
    whole: dict[str, Any] = {
        "id": alert_id(citizen_id, told.id, told.urgency_epoch),
        "citizen_id": citizen_id,
        "posting_id": told.id,
        "posting_version": told.version,
        "urgency_epoch": told.urgency_epoch,
        "kind": told.kind,
        "headline": told.headline,
        "institution": told.institution,
        "distance_m": 400,
        "dong": "수완동",
        "expires_at": told.expires_at,
        "link": told.link,
        "why": Why(cause="citizen_moved", watch_version=1),
        "caused_at": NOW,
        "made_at": NOW,
    }
    return Alert.model_validate({**whole, **changed})
