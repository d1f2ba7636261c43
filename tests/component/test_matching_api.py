"""Consent, settings and positions over the API with real stores: what is taken, what is refused, and by which rule."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.matching.index import store as index
from services.matching.settings import Settings
from shared.contracts import Fix
from shared.contracts.location import LOCATIONS
from shared.messaging.envelope import open_envelope
from shared.messaging.partitions import partition_of
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem, broken_rules
from tests.stacks import Addresses
from tests.tap import Tap, tapping

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, Fix.TOPIC) as made:
        yield made


@pytest.fixture
def citizen() -> str:
    return f"citizen:하늘{uuid4().hex[:8]}"


async def grants(desk: MatchingDesk, citizen: str, key: str | None = None, **body: Any) -> httpx.Response:
    headers = desk.bearer(citizen) | {"Idempotency-Key": key or uuid4().hex}
    return await desk.http.post("/consents/location", json=body, headers=headers)


async def withdraws(desk: MatchingDesk, citizen: str, purpose: str = "location") -> httpx.Response:
    return await desk.http.delete(f"/consents/{purpose}", headers=desk.bearer(citizen))


async def puts(desk: MatchingDesk, citizen: str, settings: dict[str, Any], tag: str | None = None) -> httpx.Response:
    headers = desk.bearer(citizen) | ({} if tag is None else {"If-Match": tag})
    return await desk.http.put("/watch", json=settings, headers=headers)


async def sends(desk: MatchingDesk, citizen: str, fixes: list[Any]) -> httpx.Response:
    """As written by Python's json, which writes NaN and Infinity out."""
    headers = desk.bearer(citizen) | {"Content-Type": "application/json"}
    return await desk.http.post("/positions", content=json.dumps({"fixes": fixes}), headers=headers)


def fix(desk: MatchingDesk, seconds_ago: float = 0, **changed: Any) -> dict[str, Any]:
    at = (desk.now - timedelta(seconds=seconds_ago)).isoformat()
    return {"lat": 35.1907, "lon": 126.8222, "accuracy_m": 12.5, "observed_at": at, **changed}


# Consent


async def test_consent_begins_an_epoch_and_withdrawal_ends_it_with_a_receipt(desk: MatchingDesk, citizen: str) -> None:
    first = (await grants(desk, citizen)).json()
    assert (first["in_force"], first["epoch"], first["withdrawn_at"]) == (True, 1, None)
    receipt = (await withdraws(desk, citizen)).json()
    assert (receipt["purpose"], receipt["epoch"]) == ("location", 1)
    assert receipt["erased"] == {"pending_alerts": 0, "positions": 0}
    (kept,) = await desk.rows("SELECT act, erased FROM consent_event WHERE id = :id", id=receipt["receipt_id"])
    assert kept.act == "withdrawn"
    again = (await grants(desk, citizen)).json()
    assert (again["in_force"], again["epoch"]) == (True, 2)
    (now,) = (await desk.get("/consents", citizen)).json()
    assert now == again


async def test_the_same_terms_again_change_nothing_and_new_terms_begin_an_epoch(
    desk: MatchingDesk, citizen: str
) -> None:
    await grants(desk, citizen)
    assert (await grants(desk, citizen)).json()["epoch"] == 1
    assert (await grants(desk, citizen, terms_version="2027-01")).json()["epoch"] == 2


async def test_a_repeated_request_is_answered_alike(desk: MatchingDesk, citizen: str) -> None:
    key = uuid4().hex
    first, second = [await grants(desk, citizen, key) for _ in range(2)]
    assert (first.json(), second.headers["idempotent-replayed"]) == (second.json(), "true")
    other = await grants(desk, citizen, key, terms_version="2027-01")
    assert assert_problem(other, 422, "idempotency-key-reused")[0]["field"] == "header.Idempotency-Key"


async def test_withdrawing_twice_changes_nothing_and_what_was_never_given_is_not_found(
    desk: MatchingDesk, citizen: str
) -> None:
    assert_problem(await withdraws(desk, citizen), 404, "not-found")
    await grants(desk, citizen)
    first, second = [(await withdraws(desk, citizen)).json() for _ in range(2)]
    assert first["withdrawn_at"] == second["withdrawn_at"]
    assert (
        len(await desk.rows("SELECT 1 FROM consent_event WHERE citizen_id = :c AND act = 'withdrawn'", c=citizen)) == 1
    )


async def test_withdrawal_erases_every_kept_position(desk: MatchingDesk, citizen: str) -> None:
    await grants(desk, citizen)
    redis, partition = connect(desk.settings.redis_url), partition_of(citizen, LOCATIONS.partitions)
    now_ms = int(desk.now.timestamp() * 1000)
    slots = {now_ms // index.SLOT_MS - ago for ago in range(3)}
    packed = index.StoredFix(35.19, 126.82, 5.0, now_ms, 1).pack()
    await index.put_fixes(redis, {(partition, slot): {citizen: packed} for slot in slots}, 600)
    assert (await withdraws(desk, citizen)).json()["erased"]["positions"] == 3
    assert citizen not in await index.fixes_of(redis, partition, now_ms)
    await redis.aclose()


async def test_another_purpose_leaves_location_alone(desk: MatchingDesk, citizen: str) -> None:
    await grants(desk, citizen)
    headers = desk.bearer(citizen) | {"Idempotency-Key": uuid4().hex}
    assert (await desk.http.post("/consents/push", json={}, headers=headers)).status_code == 201
    await withdraws(desk, citizen, "push")
    assert (await sends(desk, citizen, [fix(desk)])).status_code == 202
    assert (await desk.http.post("/consents/spying", json={}, headers=headers)).status_code == 422


async def test_a_citizen_cannot_lose_what_ten_devices_do_at_once(desk: MatchingDesk, citizen: str) -> None:
    """Each grant and withdrawal is one version of the watch, in order."""
    await grants(desk, citizen)
    await asyncio.gather(*(puts(desk, citizen, {"radius_m": 500 + n}) for n in range(10)))
    assert (await desk.get("/watch", citizen)).json()["version"] == 11


# Watch


async def test_settings_are_defaults_until_said_and_replaced_whole(desk: MatchingDesk, citizen: str) -> None:
    unset = await desk.get("/watch", citizen)
    assert (unset.headers["etag"], unset.json()["located"], unset.json()["radius_m"]) == ('"v0"', False, None)
    put = await puts(desk, citizen, {"radius_m": 500, "interests": ["library"]})
    assert put.headers["etag"] == '"v1"'
    replaced = (await puts(desk, citizen, {"kinds": ["job"]})).json()
    assert (replaced["radius_m"], replaced["interests"], replaced["kinds"]) == (None, [], ["job"])
    assert (await desk.get("/watch", citizen)).json() == replaced


async def test_an_edit_on_an_old_version_is_refused(desk: MatchingDesk, citizen: str) -> None:
    assert (await puts(desk, citizen, {}, '"v0"')).status_code == 200
    stale = await puts(desk, citizen, {"paused": True}, '"v0"')
    assert_problem(stale, 412, "precondition-failed")
    assert stale.headers["etag"] == '"v1"'
    assert broken_rules(await puts(desk, citizen, {}, "v1")) == {("header.If-Match", "etag")}


@pytest.mark.parametrize(
    "settings",
    [
        {"radius_m": 49}, {"radius_m": 2_001}, {"kinds": ["weather"]}, {"interests": ["Not A Slug"]}, {"birth_year": 1899},
        {"quiet": {"starts": "21:00Z", "ends": "08:00"}}, {"quiet": {"starts": "25:00", "ends": "08:00"}},
        {"weekly": [{"weekday": 7, "starts": "09:00", "ends": "10:00"}]},
        {"weekly": [{"weekday": 1, "starts": "09:00+09:00", "ends": "10:00"}]},
        {"windows": [{"starts_at": "2026-11-22T10:00:00Z", "ends_at": "2026-11-22T10:00:00Z"}]},
        {"windows": [{"starts_at": "0001-01-01T00:00:00+09:00", "ends_at": "9999-12-31T00:00:00Z"}]},
        {"windows": [{"starts_at": "2026-11-22T10:00:00", "ends_at": "2026-11-22T11:00:00"}]},
        {"muted_channels": ["a\0b"]}, {"muted_postings": ["x"]}, {"unknown": 1}, {"paused": None},
    ],
)  # fmt: skip
async def test_settings_that_break_a_rule_are_refused(
    desk: MatchingDesk, citizen: str, settings: dict[str, Any]
) -> None:
    assert broken_rules(await puts(desk, citizen, settings))
    assert (await desk.get("/watch", citizen)).json()["version"] == 0


# Positions


async def test_nothing_is_taken_without_consent_nor_after_its_withdrawal(
    desk: MatchingDesk, citizen: str, tap: Tap
) -> None:
    assert_problem(await sends(desk, citizen, [fix(desk)]), 403, "no-consent")
    await grants(desk, citizen)
    await withdraws(desk, citizen)
    assert_problem(await sends(desk, citizen, [fix(desk)]), 403, "no-consent")
    await tap.read()
    assert tap.of(citizen) == []


async def test_a_fix_reaches_kafka_with_the_epoch_and_both_times(desk: MatchingDesk, citizen: str, tap: Tap) -> None:
    await grants(desk, citizen)
    sent = fix(desk, 30)
    assert (await sends(desk, citizen, [sent])).json()["accepted"] == 1
    await tap.wait_for(lambda _: len(tap.of(citizen)) == 1)
    event = open_envelope(tap.of(citizen)[0]).data
    assert isinstance(event, Fix)
    assert (event.lat, event.lon, event.accuracy_m, event.consent_epoch) == (35.1907, 126.8222, 12.5, 1)
    assert event.observed_at.isoformat() == sent["observed_at"]
    assert timedelta() <= event.received_at - event.observed_at - timedelta(seconds=30) < timedelta(seconds=30)


async def test_each_fix_of_a_batch_is_answered_for_itself(desk: MatchingDesk, citizen: str) -> None:
    await grants(desk, citizen)
    cases: list[tuple[Any, str | None]] = [
        (fix(desk), None), (fix(desk, lat=90.0001), "less_than_equal"), (fix(desk, lon=-181), "greater_than_equal"),
        (fix(desk, lat=float("nan")), "finite_number"), (fix(desk, lon=float("inf")), "finite_number"),
        (fix(desk, accuracy_m=float("inf")), "less_than_equal"), (fix(desk, accuracy_m=-1), "greater_than_equal"),
        (fix(desk, accuracy_m=200), None), (fix(desk, accuracy_m=200.1), "inaccurate"),
        (fix(desk, lat="35.1"), "number"), (fix(desk, lat=True), "number"), (fix(desk, observed_at=1), "rfc3339"),
        (fix(desk, observed_at="2026-11-22T10:00:00"), "timezone_aware"), (fix(desk, 601), "too-old"),
        (fix(desk, 590), None), (fix(desk, -90_000), "clock"), (fix(desk, floor=3), "extra_forbidden"),
        ({"lat": 35.1}, "missing"), (None, "model_attributes_type"), ("x", "model_attributes_type"), (fix(desk), None),
    ]  # fmt: skip
    answer = (await sends(desk, citizen, [sent for sent, _ in cases])).json()
    assert [(r["index"], r["rule"]) for r in answer["results"]] == [(n, rule) for n, (_, rule) in enumerate(cases)]
    assert (answer["accepted"], answer["refused"]) == (4, len(cases) - 4)
    assert "35.1907" not in json.dumps(answer)


async def test_a_time_to_come_is_the_servers_present(desk: MatchingDesk, citizen: str, tap: Tap) -> None:
    await grants(desk, citizen)
    await sends(desk, citizen, [fix(desk, -3_600)])
    await tap.wait_for(lambda _: len(tap.of(citizen)) == 1)
    event = open_envelope(tap.of(citizen)[0]).data
    assert isinstance(event, Fix)
    assert event.observed_at == event.received_at <= desk.now


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 202), (500, 202), (501, 422)])
async def test_a_batch_has_1_to_500_fixes(desk: MatchingDesk, citizen: str, count: int, status: int) -> None:
    await grants(desk, citizen)
    assert (await sends(desk, citizen, [fix(desk, n / 10) for n in range(count)])).status_code == status


async def test_records_of_use_say_when_and_how_and_never_where(desk: MatchingDesk, citizen: str) -> None:
    await grants(desk, citizen)
    await sends(desk, citizen, [fix(desk), fix(desk, 1)])
    await sends(desk, citizen, [fix(desk)])
    answer = await desk.get("/location-records", citizen)
    assert sum(r["times"] for r in answer.json() if (r["act"], r["how"]) == ("collected", "positions")) == 3
    assert "35.19" not in answer.text
    assert "126.8" not in answer.text
    assert (await desk.get("/location-records", f"{citizen}2")).json() == []


# Whose


@pytest.mark.parametrize("as_", ["officer:수완동", "moderator", "admin"])
async def test_only_citizens_have_any_of_this(desk: MatchingDesk, as_: str) -> None:
    for path in ("/watch", "/consents", "/inbox", "/location-records", "/nearby?lat=35.19&lon=126.82"):
        assert_problem(await desk.http.get(path, headers=desk.bearer(as_)), 403, "forbidden")
    assert_problem(await sends(desk, as_, [fix(desk)]), 403, "forbidden")


async def test_one_citizens_settings_consents_and_positions_are_not_anothers(desk: MatchingDesk, citizen: str) -> None:
    other = f"{citizen}x"
    await desk.consents(citizen, radius_m=300)
    assert (await desk.get("/watch", other)).json()["version"] == 0
    assert (await desk.get("/consents", other)).json() == []
    assert_problem(await sends(desk, other, [fix(desk)]), 403, "no-consent")
    assert_problem(await sends(desk, other, [fix(desk) | {"citizen_id": citizen}]), 403, "no-consent")
