"""What the writer of alerts puts on the wire is what the contract says: field by field, and byte for byte of a plain writer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.alerts.wire import AlertWriter
from services.matching.engine.bits import to_us
from services.matching.engine.matches import CAUSES, MATCH, RULES
from shared.contracts import Alert, Posting, Watch
from shared.contracts.alert import alert_id, distance_bucket_m
from shared.geo import district
from shared.messaging.envelope import open_envelope
from shared.messaging.record_batches import ReadyBatch
from tests.engines import World, watch
from tests.samples import NOW, posting

JOB = posting()
AREA = posting(kind="notice", where={"dongs": ["2920063700"]})
WIDENING = posting(urgent=True, widens={"steps_m": [700, 1_000, 1_500], "every_s": 300, "began_at": NOW})
WINDOW = {"starts_at": NOW - timedelta(hours=1), "ends_at": NOW + timedelta(hours=6)}
FIXED = [("ce_specversion", b"1.0"), ("ce_type", Alert.TYPE.encode()), ("ce_source", b"/services/matching"),
         ("content-type", b"application/json")]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One match, and when the fix came in that made it."""

    about: Posting
    settings: Watch
    distance_m: float | None = None
    rule: str = ""
    cause: str = "citizen_moved"
    received: datetime = NOW

    @property
    def by(self) -> str:
        return self.rule or ("in_dong" if self.distance_m is None else "within_radius")


class Written:
    """A record as a consumer is given it."""

    topic, partition, offset = Alert.TOPIC, 0, 0

    def __init__(self, record: Any) -> None:
        self.key, self.value, self.headers = record.key, record.value, record.headers


def batches(cases: list[Case], now: datetime, trace: list[tuple[str, bytes]]) -> Iterator[bytes]:
    """The batches that go to Kafka, each case with a citizen and a posting of its own row, all of one partition."""
    world, matches = World(), np.zeros(len(cases), MATCH)
    for nth, case in enumerate(cases):
        world.engine.put_watch(case.settings, 0, now, look=False)
        world.engine.put_posting(case.about, now, look=False)
        matches[nth] = (
            world.engine.citizens.row(case.settings.citizen_id, 0), world.engine.postings.row(case.about.id),
            -1 if case.distance_m is None else case.distance_m, nth, RULES.index(case.by), CAUSES.index(case.cause),
        )  # fmt: skip
    received = np.array([to_us(case.received) for case in cases], np.int64)
    for batch in AlertWriter(world.engine, district()).write(matches, received, now, trace):
        yield ReadyBatch(bytes(batch.records), batch.alerts, 1_700_000_000_000, 0).whole(7, 1, 42)


def told(about: Posting, settings: Watch, distance_m: float | None, now: Any = NOW, rule: str = "") -> Alert:
    (whole,) = batches([Case(about, settings, distance_m, rule)], now, [])
    (record,) = DefaultRecordBatch(whole)
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
    assert (alert.made_at, alert.caused_at, alert.deferred_until) == (NOW, NOW, None)
    assert alert.dong == "수완동"
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
    assert why.reach_m == 700


@pytest.mark.parametrize("rule", ["home_dong", "following"])
def test_a_resident_is_told_the_rule_and_neither_reach_nor_distance(rule: str) -> None:
    alert = told(posting(audience={"interests": ["library"]}), watch(interests=["library"]), None, rule=rule)
    assert (alert.why.rule, alert.why.reach_m, alert.distance_m) == (rule, None, None)


@pytest.mark.parametrize("emergency", [False, True])
def test_quiet_hours_defer_all_but_an_emergency(emergency: bool) -> None:
    quiet = {"starts": time(18, 0), "ends": time(19, 0)}  # 18:30 in Seoul
    alert = told(posting(emergency=emergency), watch(quiet=quiet), 100.0)
    assert alert.deferred_until == (None if emergency else NOW + timedelta(minutes=30))


def test_postings_of_one_subject_have_one_id() -> None:
    subject = UUID(int=9)
    ids = {told(posting(subject=subject), watch(), 100.0).id for _ in range(2)}
    assert ids == {alert_id(watch().citizen_id, subject, 0)}


def plainly(case: Case, now: datetime, trace: list[tuple[str, bytes]]) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """A record made by the contract's model and its field order, without anything of the writer."""
    about, settings, made = case.about, case.settings, now.astimezone(UTC).isoformat()
    reach = [
        c.radius_m if about.widens is None else about.widens.radius_m(c.radius_m, now) for c in about.where.circles
    ]
    why: dict[str, Any] = {"cause": case.cause, "watch_version": settings.version, "rule": case.by}
    if case.by == "within_radius":
        why["reach_m"] = min(max(reach), settings.radius_m or 10_000)
    if matched := [i for i in about.audience.interests if i in settings.interests]:
        why["matched_interests"] = matched
    caused = {"posting_changed": about.changed_at, "watch_changed": settings.changed_at, "citizen_moved": case.received}
    id_ = str(alert_id(settings.citizen_id, about.subject or about.id, about.urgency_epoch))
    of_posting = {name: getattr(about, name) for name in (
        "urgency_epoch", "urgent", "emergency", "kind", "headline", "institution", "starts_at", "ends_at", "expires_at", "link",
    )}  # fmt: skip
    value = msgspec.json.encode({
        "id": id_, "citizen_id": settings.citizen_id, "posting_id": about.id, "posting_version": about.version, **of_posting,
        "shows": vars(about.shows), "dong": dong_of(about),
        "distance_m": None if case.distance_m is None else distance_bucket_m(case.distance_m), "why": why,
        "deferred_until": None, "caused_at": caused.get(case.cause, now).astimezone(UTC).isoformat(), "made_at": made,
    })  # fmt: skip
    headers = [*FIXED, ("ce_id", id_.encode()), ("ce_time", made.encode()), *trace]
    return settings.citizen_id.encode(), value, headers


def dong_of(about: Posting) -> str | None:
    if about.where.circles:
        found = district().dong_at(about.where.circles[0].lat, about.where.circles[0].lon)
        return found.name if found is not None else None
    return district().by_code[about.where.dongs[0]].name if len(about.where.dongs) == 1 else None


letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.one_of(st.text(letters, min_size=1, max_size=200), st.from_regex(r"citizen:[a-z0-9]{1,40}", fullmatch=True))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
circles = st.fixed_dictionaries(
    {"lat": st.floats(35, 35.3), "lon": st.floats(126.5, 127), "radius_m": st.integers(50, 2_000)}
)
wheres = st.one_of(
    st.fixed_dictionaries({"circles": st.lists(circles, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"dongs": st.sampled_from([["2920063700"], ["2920063700", "2920061500"]])}),
)
offers = st.builds(
    posting,
    id_=st.uuids(),
    version=st.integers(1, 10**6),
    kind=st.sampled_from(["job", "space", "notice"]),
    urgency_epoch=st.integers(0, 2**31 - 1),
    emergency=st.booleans(),
    subject=st.one_of(st.none(), st.uuids()),
    where=wheres,
    headline=st.text(letters, min_size=1, max_size=200).filter(lambda text: bool(text.strip())),
    institution=st.text(letters, max_size=100),
    audience=st.fixed_dictionaries({"interests": st.sampled_from([[], ["library"], ["library", "cooking"]])}),
    starts_at=st.one_of(st.none(), moments),
    changed_at=moments,
)
wishes = st.builds(
    watch,
    citizen=names,
    version=st.integers(1, 10**9),
    radius_m=st.one_of(st.none(), st.integers(50, 2_000)),
    interests=st.sampled_from([(), (), ("library",)]),
    changed_at=moments,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    about, settings_of = draw(offers), draw(wishes)
    rules = ["within_radius"] if about.where.circles else ["in_dong", "home_dong", "following"]
    rule = draw(st.sampled_from(rules))
    metres = draw(st.floats(0, 2_200)) if rule == "within_radius" else None
    return Case(about, settings_of, metres, rule, draw(st.sampled_from(CAUSES)), draw(moments))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    made=st.lists(
        cases(), min_size=1, max_size=5, unique_by=(lambda c: c.about.id, lambda c: c.settings.citizen_id.encode())
    ),
    now=moments,
    trace=st.sampled_from([[], [("traceparent", b"00-" + b"ab" * 24 + b"-01")]]),
)
def test_batches_are_byte_for_byte_those_of_a_plain_writer(
    made: list[Case], now: datetime, trace: list[tuple[str, bytes]]
) -> None:
    """The records by the contract's own model, the batch by aiokafka's own builder."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, 7, 1, 42, 1 << 22)
    for nth, case in enumerate(made):
        key, value, headers = plainly(case, now, trace)
        builder.append(nth, 1_700_000_000_000, key, value, headers)
    expected = bytes(builder.build())
    (whole,) = batches(made, now, trace)
    if whole != expected:
        pairs = zip(DefaultRecordBatch(whole), DefaultRecordBatch(expected), strict=True)
        for ours, plain in pairs:
            assert json.loads(ours.value) == json.loads(plain.value)
            assert (ours.key, ours.value, ours.headers) == (plain.key, plain.value, plain.headers)
    assert whole == expected


def test_a_crowd_fills_batch_after_batch_and_each_is_whole() -> None:
    made = [Case(JOB, watch(f"citizen:{nth}"), float(nth % 700)) for nth in range(3_000)]
    wholes = list(batches(made, NOW, []))
    records = [record for whole in wholes for record in DefaultRecordBatch(whole)]
    assert len(wholes) > 1
    assert [record.value for record in records] == [plainly(case, NOW, [])[1] for case in made]
    assert all(DefaultRecordBatch(whole).validate_crc() for whole in wholes)
