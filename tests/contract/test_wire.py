"""What the fast writer of alerts puts on the wire is what the contract says, field by field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.matching.alerts.wire import AlertWriter
from services.matching.engine.engine import Match
from shared.contracts import Alert, Posting, Watch
from shared.contracts.alert import alert_id
from shared.messaging.envelope import open_envelope
from tests.engines import watch
from tests.samples import NOW, posting

JOB = posting()
AREA = posting(kind="notice", where={"dongs": ["2920063700"]})
WIDENING = posting(urgent=True, widens={"steps_m": [700, 1_000, 1_500], "every_s": 300, "began_at": NOW})
WINDOW = {"starts_at": NOW - timedelta(hours=1), "ends_at": NOW + timedelta(hours=6)}


class Written:
    """A record as a consumer is given it."""

    topic, partition, offset = Alert.TOPIC, 0, 0

    def __init__(self, record: tuple[bytes, bytes, list[tuple[str, bytes]]]) -> None:
        self.key, self.value, self.headers = record


def told(about: Posting, settings: Watch, distance_m: float | None, now: Any = NOW) -> Alert:
    match = Match(0, 0, distance_m, "citizen_moved", -1, "in_dong" if distance_m is None else "within_radius")
    stamp = b'"%s"' % now.isoformat().encode()
    record = AlertWriter().record(match, about, settings, dong="수완동", caused_at=stamp, now=now, made_at=stamp)
    envelope = open_envelope(Written(record))
    assert isinstance(envelope.data, Alert)
    assert envelope.id == envelope.data.id
    return envelope.data


@pytest.mark.parametrize("settings", [watch(), watch(interests=["library"]), watch(windows=[WINDOW])])
@pytest.mark.parametrize(("about", "distance_m"), [(JOB, 399.2), (AREA, None), (WIDENING, 10.0)])
def test_every_field_of_an_alert_is_written(about: Posting, distance_m: float | None, settings: Watch) -> None:
    alert = told(about, settings, distance_m)
    assert alert.id == alert_id(settings.citizen_id, about.id, about.urgency_epoch)
    assert (alert.citizen_id, alert.posting_id, alert.posting_version) == (settings.citizen_id, about.id, about.version)
    for name in Alert.model_fields.keys() & Posting.model_fields.keys() - {"id"}:
        assert getattr(alert, name) == getattr(about, name), name
    assert alert.distance_m == (None if distance_m is None else -(-distance_m // 100) * 100)
    assert (alert.dong, alert.made_at, alert.caused_at, alert.deferred_until) == ("수완동", NOW, NOW, None)
    assert (alert.why.cause, alert.why.watch_version) == ("citizen_moved", settings.version)
    assert alert.why.rule == ("in_dong" if distance_m is None else "within_radius")


@pytest.mark.parametrize(
    ("about", "own_m", "minutes", "reach_m"),
    [
        (JOB, None, 0, 700),
        (JOB, 300, 0, 300),
        (JOB, 2_000, 0, 700),
        (WIDENING, None, 5, 1_000),
        (WIDENING, 1_200, 60, 1_200),
        (posting(where={"circles": [{"lat": 35.1, "lon": 126.8, "radius_m": r} for r in (200, 900)]}), None, 0, 900),
    ],
)
@pytest.mark.parametrize("interests", [(), ("library",)])
def test_the_reach_is_a_setting_and_never_the_distance(
    about: Posting, own_m: int | None, minutes: int, reach_m: int, interests: tuple[str, ...]
) -> None:
    settings = watch(radius_m=own_m, interests=interests)
    now = NOW + timedelta(minutes=minutes)
    assert {told(about, settings, metres, now).why.reach_m for metres in (1.0, 55.5, 199.0)} == {reach_m}
    assert told(AREA, settings, None).why.reach_m is None


def test_interests_and_the_window_that_held_are_told() -> None:
    about = posting(audience={"interests": ["library", "meal-help"]})
    why = told(about, watch(interests=["meal-help", "sports"], windows=[WINDOW]), 100.0).why
    assert why.matched_interests == ("meal-help",)
    assert (why.window_starts_at, why.window_ends_at) == (WINDOW["starts_at"], WINDOW["ends_at"])
