"""Requests that are broken, hostile or merely strange, at all three services: refused by name or kept as they are, never a 500."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.publishers import Desk, assert_problem, broken_rules

pytestmark = pytest.mark.component

STRANGE_TEXT = {
    "emoji": "🥕 당근 👩🏽‍🌾 광산 🏳️‍🌈",
    "right to left": "مرحبا بكم في 광산구 שלום",
    "bidi override": "\u202eabc\u202c 광산",
    "decomposed hangul": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "combining": "g̷̢̛a̶͖n̸̰g",
    "control characters": "a\x01b\x1b[31mc\x7f",
    "quotes": "'; DROP TABLE posting; --",
    "markup": "<script>alert(1)</script> {{7*7}} %s %n ${jndi:x}",
    "beyond the basic plane": "𠮷野家 𓂀 ab",
    "zero width": "광\u200b산\ufeff",
}


@pytest.mark.parametrize("written", STRANGE_TEXT.values(), ids=STRANGE_TEXT)
async def test_strange_text_is_kept_as_it_came(desk: Desk, written: str) -> None:
    made = await desk.opened(headline=written, **{desk.service.long_text: written})
    found = (await desk.get(made["id"])).json()
    assert (found["headline"], found[desk.service.long_text]) == (written, written)
    assert [event.headline for event in await desk.events(made["id"])] == [written]
    ended = await desk.end(made["id"], written)
    assert ended.json()["closed_because"] == written


async def test_text_that_postgresql_cannot_hold_is_refused_by_field(desk: Desk) -> None:
    made = await desk.opened()
    nul, long_text = "a\0b", desk.service.long_text
    assert broken_rules(await desk.post(desk.service.draft(headline=nul))) == {("body.headline", "nul-character")}
    assert broken_rules(await desk.post(desk.service.draft(**{long_text: nul}))) == {
        (f"body.{long_text}", "nul-character")
    }
    assert broken_rules(await desk.edit(made["id"], {"headline": nul}, 1)) == {("body.headline", "nul-character")}
    assert broken_rules(await desk.end(made["id"], nul)) == {("body.reason", "nul-character")}
    interests = await desk.post(desk.service.draft(**{desk.service.interests: ["ok", nul]}))
    assert broken_rules(interests) == {(f"body.{desk.service.interests}", "nul-character")}


async def test_half_a_character_is_refused(desk: Desk) -> None:
    answer = await desk.post(raw=json.dumps(desk.service.draft(headline="ab\ud800")).encode())
    assert broken_rules(answer) == {("body.headline", "string_unicode")}


@pytest.mark.parametrize("name", ["pay_krw", "ID", "a\0b", "\ud800", "é" * 1000, ""])
async def test_a_field_that_is_not_known_is_told(desk: Desk, name: str) -> None:
    answer = await desk.post(desk.service.draft(**{name: 1}))
    assert [error["rule"] for error in assert_problem(answer, 422, "invalid")] == [
        "string_unicode" if name == "\ud800" else "extra_forbidden"
    ]


@pytest.mark.parametrize(
    "written",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "90.0000001", "1" + "0" * 400, "null", '"north"', "[]", "{}", "true", '"35.19"'],
)  # fmt: skip
async def test_a_latitude_that_is_none_is_refused(desk: Desk, written: str) -> None:
    raw = json.dumps(desk.service.with_lat("HERE")).replace('"HERE"', written).encode()
    (error,) = assert_problem(await desk.post(raw=raw), 422, "invalid")
    assert error["field"].endswith(".lat")


async def test_a_number_with_thousands_of_digits_is_refused(desk: Desk) -> None:
    raw = json.dumps(desk.service.with_lat("HERE")).replace('"HERE"', "9" * 5_000).encode()
    assert (await desk.post(raw=raw)).status_code in {400, 422}


@pytest.mark.parametrize("lat", [-90, 90, 0, -0.0, 5e-324])
async def test_the_rim_of_the_globe_is_on_it(desk: Desk, lat: object) -> None:
    assert (await desk.post(desk.service.with_lat(lat))).status_code == 201


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("2030-01-01T10:00:00", "timezone_aware"),
        ("2030-01-01", "rfc3339"),
        ("tomorrow", "rfc3339"),
        ("", "rfc3339"),
        ("1893456000", "rfc3339"),
        (1893456000, "rfc3339"),
        (1e400, "rfc3339"),
        (True, "rfc3339"),
        ([], "rfc3339"),
        ("2030-13-01T10:00:00Z", "datetime_from_date_parsing"),
        ("2030-02-30T10:00:00+09:00", "datetime_from_date_parsing"),
        ("2030-01-01T10:00:00+99:00", "datetime_from_date_parsing"),
        ("0001-01-01T00:00:00+14:00", "time-range"),
        ("9999-12-31T23:59:59-12:00", "time-range"),
        ("2020-01-01T00:00:00Z", "in-future"),
    ],
)
async def test_a_time_is_written_out_with_its_zone(desk: Desk, written: object, rule: str) -> None:
    answer = await desk.post(desk.service.draft(expires_at=written))
    found = broken_rules(answer)
    assert found == {("body.expires_at", rule)}


async def test_a_time_in_another_zone_is_the_same_moment(desk: Desk) -> None:
    made = await desk.opened()
    instant = made["expires_at"].replace("Z", "+00:00")
    elsewhere = datetime.fromisoformat(instant).astimezone(timezone(timedelta(hours=-9, minutes=-30))).isoformat()
    assert (await desk.edit(made["id"], {"expires_at": elsewhere}, 1)).json() == made


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"headline": "\xed\xa0\x80"}', b"{} {}"]
)
async def test_a_body_that_is_no_object_is_refused(desk: Desk, raw: bytes) -> None:
    assert assert_problem(await desk.post(raw=raw), 422, "invalid")


async def test_a_body_of_another_type_is_refused(desk: Desk) -> None:
    headers = desk.bearer("officer:수완동") | {"Idempotency-Key": uuid4().hex, "Content-Type": "text/plain"}
    answer = await desk.http.post(desk.service.path, content=json.dumps(desk.service.draft()), headers=headers)
    assert_problem(answer, 422, "invalid")


async def test_a_body_nested_ten_thousand_deep_is_refused(desk: Desk) -> None:
    raw = b'{"headline":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    assert (await desk.post(raw=raw)).status_code in {400, 422}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_one_field_holds_the_answer_is_kept_or_refused_by_rule(desk: Desk, data: st.DataObject) -> None:
    draft: dict[str, Any] = desk.service.draft(radius_m=700) if desk.service.kind != "notice" else desk.service.draft()
    draft[data.draw(st.sampled_from(sorted(draft)))] = data.draw(json_values)
    answer = await desk.post(raw=json.dumps(draft).encode())
    if answer.status_code == 201:
        assert (await desk.get(answer.json()["id"])).json() == answer.json()
    else:
        assert assert_problem(answer, 422, "invalid")
