"""Imports of public data on the real database: looked at first, repeated without effect, merged by hand, taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.spaces.imports.libraries import LIBRARIES
from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.public_data import LIBRARY, as_api_json, as_csv, as_portal_json, merged, room
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.rooms import Office, Rooms, open_rooms

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def rooms(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Rooms]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_rooms(databases, issuer, settings) as running:
        yield running


class Importer(Office):
    """An institution that imports; its rows stand on a street of its own, so that tests are no neighbours."""

    streets = 0

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms)
        Importer.streets += 1
        self.street = Importer.streets * 100

    def room(self, n: int = 1, **changed: str) -> dict[str, str]:  # type: ignore[override]
        return room(self.street + n, **changed)

    async def send(
        self, raw: bytes, mode: str = "valid-rows", *, source: str = "facilities", key: str | None = None
    ) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"}
        return await self.ask("POST", f"/imports/{source}?mode={mode}", content=raw, headers=headers, key=key)

    async def done(self, raw: bytes, mode: str = "valid-rows", **more: Any) -> dict[str, Any]:
        answer = await self.send(raw, mode, **more)
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    async def listed(self) -> dict[str, dict[str, Any]]:
        page = await self.rooms.good("GET", f"/spaces?limit=200&institution={self.name}", as_=None)
        return {one["headline"].removeprefix("수완동행정복지센터 "): one for one in page["items"]}

    def called(self, n: int = 1) -> str:
        return f"{self.street + n}호 회의실"


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("created", "changed", "unchanged", "offered", "elsewhere", "refused"))


async def test_a_dry_run_tells_and_changes_nothing(rooms: Rooms) -> None:
    office = Importer(rooms)
    report = await office.done(as_csv(office.room(1), office.room(2, 수용가능인원수="x")), "dry-run")
    assert (report["applied"], counts(report)) == (False, (1, 0, 0, 0, 0, 1))
    assert [(e["line"], e["column"], e["rule"]) for e in report["errors"]] == [(3, "수용가능인원수", "number")]
    assert await office.listed() == {}
    assert (await office.good("GET", "/imports"))["items"] == []


async def test_a_row_becomes_a_space_with_its_calendar_and_is_told(rooms: Rooms) -> None:
    office = Importer(rooms)
    assert counts(await office.done(as_csv(office.room(1, 휴관일="매주 월요일, 시험기간")))) == (1, 0, 0, 0, 0, 0)
    made = (await office.listed())[office.called()]
    assert (made["capacity"], made["price"], made["approval"]) == (80, {"amount_krw": 20_000, "per": "use"}, "officer")
    calendar = await rooms.good("GET", f"/spaces/{made['id']}/calendar", as_=None)
    assert calendar["hours"]["mon"] == [{"opens": "09:00", "closes": "21:00"}]
    assert calendar["hours"]["sun"] == []
    assert calendar["rest"] == {
        "text": "매주 월요일, 시험기간",
        "understood": ["매주 월요일"],
        "unparsed": ["시험기간"],
    }
    (told,) = await rooms.events(made["id"])
    assert (told.kind, told.version, told.headline) == ("space", 1, made["headline"])


@pytest.mark.parametrize("encoded", [
    lambda row: as_csv(row, encoding="cp949"), as_portal_json, as_api_json, lambda row: as_api_json(row, underscores=True),
    lambda row: as_csv(merged(row)), lambda row: as_csv({**row, "데이터기준일자": "2026-11-01"}),
])  # fmt: skip
async def test_the_same_row_in_another_form_or_under_the_new_province_changes_nothing(
    rooms: Rooms, encoded: Any
) -> None:
    office = Importer(rooms)
    await office.done(as_csv(office.room()))
    assert counts(await office.done(encoded(office.room()))) == (0, 0, 1, 0, 0, 0)
    assert (await office.listed())[office.called()]["version"] == 1


async def test_a_changed_row_changes_its_space_and_nothing_an_officer_decided(rooms: Rooms) -> None:
    office = Importer(rooms)
    await office.done(as_csv(office.room(1), office.room(2)))
    before = (await office.listed())[office.called(1)]
    edit = {"approval": "instant", "max_minutes": 120}
    await office.good("PATCH", f"/spaces/{before['id']}", edit, headers={"If-Match": '"v1"'})
    changed = office.room(1, 수용가능인원수="40", 평일운영종료시각="18:00")
    assert counts(await office.done(as_csv(changed, office.room(2)))) == (0, 1, 1, 0, 0, 0)
    after = (await office.listed())[office.called(1)]
    assert (after["version"], after["capacity"], after["approval"], after["max_minutes"]) == (3, 40, "instant", 120)
    calendar = await rooms.good("GET", f"/spaces/{before['id']}/calendar", as_=None)
    assert (calendar["version"], calendar["hours"]["fri"]) == (2, [{"opens": "09:00", "closes": "18:00"}])


async def test_what_the_source_still_has_goes_on_being_offered(rooms: Rooms) -> None:
    office = Importer(rooms)
    await office.done(as_csv(office.room()))
    first = (await office.listed())[office.called()]["expires_at"]
    with rooms.clock.at((rooms.clock() + timedelta(days=320)).isoformat()):
        assert counts(await office.done(as_csv(office.room()))) == (0, 0, 1, 0, 0, 0)
        renewed = (await office.listed())[office.called()]
    assert datetime.fromisoformat(renewed["expires_at"]) > datetime.fromisoformat(first) + timedelta(days=300)
    assert renewed["version"] == 2


async def test_all_or_nothing_is_all_or_nothing(rooms: Rooms) -> None:
    office = Importer(rooms)
    answer = await office.send(as_csv(office.room(1), office.room(2, 사용료="공짜")), "all-or-nothing")
    assert broken_rules(answer) == {("line 3, 사용료", "number")}
    assert await office.listed() == {}
    assert counts(await office.done(as_csv(office.room(1), office.room(2)), "all-or-nothing")) == (2, 0, 0, 0, 0, 0)


async def test_rows_of_the_rest_of_the_nation_are_left_out(rooms: Rooms) -> None:
    office = Importer(rooms)
    seoul = office.room(9, 소재지도로명주소="서울특별시 중구 1", 소재지지번주소="", 위도="37.5663", 경도="126.9779")
    assert counts(await office.done(as_csv(office.room(1), seoul))) == (1, 0, 0, 0, 1, 0)


async def test_a_near_duplicate_is_offered_and_never_merged_by_itself(rooms: Rooms) -> None:
    office, other = Importer(rooms), Importer(rooms)
    await office.done(as_csv(office.room(1)))
    known = (await office.listed())[office.called()]
    twin = office.room(1, 개방시설명="수완동 행정복지센터", 소재지도로명주소="")
    report = await other.done(as_csv(twin))
    assert counts(report) == (0, 0, 0, 1, 0, 0)
    assert [(near["near_id"], near["distance_m"]) for near in report["near"]] == [(known["id"], 0.0)]
    assert counts(await other.done(as_csv(twin))) == (0, 0, 0, 1, 0, 0)
    (offer,) = (await other.good("GET", "/imports/near-duplicates"))["items"]
    assert_problem(
        await office.ask("POST", f"/imports/near-duplicates/{offer['id']}", {"decision": "merge"}), 404, "not-found"
    )
    await other.good("POST", f"/imports/near-duplicates/{offer['id']}", {"decision": "merge"})
    assert counts(await other.done(as_csv(twin))) == (0, 0, 1, 0, 0, 0)
    assert await other.listed() == {}
    again = await other.ask("POST", f"/imports/near-duplicates/{offer['id']}", {"decision": "separate"})
    assert_problem(again, 409, "conflict")
    # A changed row of a thing that is another institution's is told, not done.
    report = await other.done(as_csv({**twin, "수용가능인원수": "5"}))
    assert [error["rule"] for error in report["errors"]] == ["not-yours"]
    assert (await office.listed())[office.called()]["capacity"] == 80


async def test_what_is_kept_apart_becomes_a_space_and_is_taken_back_with_its_import(rooms: Rooms) -> None:
    office = Importer(rooms)
    twin = office.room(1, 개방시설명="수완동 행정복지센터", 소재지도로명주소="")
    report = await office.done(as_csv(office.room(1), twin))
    assert counts(report) == (1, 0, 0, 1, 0, 0)
    (offer,) = (await office.good("GET", "/imports/near-duplicates"))["items"]
    await office.good("POST", f"/imports/near-duplicates/{offer['id']}", {"decision": "separate"})
    assert len(await office.listed()) == 2
    back = await office.good("POST", f"/imports/{report['id']}/rollback")
    assert (back["removed"], back["restored"], back["kept"]) == (2, 0, [])
    assert await office.listed() == {}


async def test_an_import_is_taken_back_and_may_come_again(rooms: Rooms) -> None:
    office = Importer(rooms)
    await office.done(as_csv(office.room(1)))
    report = await office.done(as_csv(office.room(1, 수용가능인원수="7"), office.room(2)))
    back = await office.good("POST", f"/imports/{report['id']}/rollback")
    assert (back["removed"], back["restored"]) == (1, 1)
    left = await office.listed()
    assert (list(left), left[office.called(1)]["capacity"]) == ([office.called(1)], 80)
    assert_problem(await office.ask("POST", f"/imports/{report['id']}/rollback"), 409, "conflict")
    assert_problem(await Importer(rooms).ask("POST", f"/imports/{report['id']}/rollback"), 404, "not-found")
    assert counts(await office.done(as_csv(office.room(1), office.room(2)))) == (1, 0, 1, 0, 0, 0)
    assert len(await office.listed()) == 2


async def test_what_is_booked_or_closed_meanwhile_stays(rooms: Rooms) -> None:
    office = Importer(rooms)
    report = await office.done(as_csv(*(office.room(n, 평일운영시작시각="00:00", 평일운영종료시각="24:00",
                                                    주말운영종료시각="24:00", 휴관일="") for n in (1, 2, 3))))  # fmt: skip
    by_name = await office.listed()
    booked, closed = by_name[office.called(1)], by_name[office.called(2)]
    start = rooms.clock().replace(minute=0, second=0, microsecond=0).timestamp() + 86_400
    window = {"starts_at": _utc(start), "ends_at": _utc(start + 3_600)}
    citizen = f"citizen:{uuid4().hex[:6]}"
    await rooms.good("POST", f"/spaces/{booked['id']}/bookings", window, as_=citizen)
    await office.good("POST", f"/spaces/{closed['id']}/close", {"reason": "공사"})
    back = await office.good("POST", f"/imports/{report['id']}/rollback")
    assert (back["removed"], {one["id"] for one in back["kept"]}) == (1, {booked["id"], closed["id"]})
    assert list(await office.listed()) == [office.called(1)]
    changed = await office.done(as_csv(office.room(2, 수용가능인원수="3")))
    assert [error["rule"] for error in changed["errors"]] == ["closed"]


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


async def test_two_files_at_once_make_each_row_once(rooms: Rooms) -> None:
    office = Importer(rooms)
    raw = as_csv(*(office.room(n) for n in range(1, 6)))
    reports = await asyncio.gather(*(office.done(raw) for _ in range(4)))
    assert sorted(counts(report)[:3] for report in reports) == [(0, 0, 5)] * 3 + [(5, 0, 0)]
    assert len(await office.listed()) == 5


async def test_names_that_utf8_would_break_come_through_cp949_and_emoji_through_utf8(rooms: Rooms) -> None:
    office = Importer(rooms)
    await office.done(as_csv(office.room(1, 개방장소명="똠방각하 펲시콜라실"), encoding="cp949"))
    await office.done(as_portal_json(office.room(2, 개방장소명="👩🏽‍🌾 مرحبا \u202e실")))
    assert set(await office.listed()) == {"똠방각하 펲시콜라실", "👩🏽‍🌾 مرحبا \u202e실"}


async def test_one_key_is_for_one_file_and_mode(rooms: Rooms) -> None:
    office, key = Importer(rooms), uuid4().hex
    first = await office.send(as_csv(office.room(1)), key=key)
    again = await office.send(as_csv(office.room(1)), key=key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert_problem(await office.send(as_csv(office.room(2)), key=key), 422, "idempotency-key-reused")


async def test_libraries_become_places_with_hours(rooms: Rooms) -> None:
    office = Importer(rooms)
    other = {
        **LIBRARY,
        "도서관명": "신창도서관",
        "위도": "35.19",
        "경도": "126.84",
        "소재지도로명주소": "광주광역시 광산구 신창로 1",
    }
    raw = as_csv(LIBRARY, other, source=LIBRARIES, encoding="cp949")
    report = await office.done(raw, source="libraries")
    assert counts(report) == (2, 0, 0, 0, 0, 0)
    assert counts(await office.done(raw, source="libraries")) == (0, 0, 2, 0, 0, 0)
    with rooms.clock.at("2026-11-24T12:00:00+09:00"):  # a Tuesday
        places = {one["name"]: one for one in await rooms.good("GET", "/places?kind=library", as_=None)}
        assert places["첨단도서관"]["seats"] == 1_024
        (today,) = places["첨단도서관"]["today"]
        assert (today["starts_at"], today["ends_at"]) == ("2026-11-24T09:00:00+09:00", "2026-11-24T22:00:00+09:00")
    with rooms.clock.at("2026-11-23T12:00:00+09:00"):  # a Monday, its rest day
        places = {one["name"]: one for one in await rooms.good("GET", "/places", as_=None)}
        assert places["신창도서관"]["today"] == []
    assert (await office.good("POST", f"/imports/{report['id']}/rollback"))["removed"] == 2
    assert await rooms.good("GET", "/places", as_=None) == []


async def test_rows_without_news_for_too_long_raise_an_alarm(rooms: Rooms) -> None:
    office = Importer(rooms)
    with rooms.clock.at("2031-01-01T12:00:00+09:00"):
        await office.done(as_csv(office.room(1)))
        (feed,) = await office.good("GET", "/imports/feeds")
        assert (feed["source"], feed["last_rows"], feed["stale"]) == ("facilities", 1, False)
    with rooms.clock.at("2031-02-20T12:00:00+09:00"):
        await office.done(as_csv(office.room(1, 데이터기준일자="2031-02-19")))
        (feed,) = await office.good("GET", "/imports/feeds")
        assert feed["stale"]
        ready = await rooms.ask("GET", "/readyz", as_=None)
        assert ready.status_code == 200
        assert "no news for 45 days" in ready.json()["degraded"]["feeds"]
        metrics = (await rooms.ask("GET", "/metrics", as_=None)).text
        (line,) = [line for line in metrics.splitlines() if line.startswith('gwangsan_feeds_stale{service="spaces"}')]
        assert float(line.split()[-1]) >= 1
        await office.done(as_csv(office.room(1), office.room(2)))
        (feed,) = await office.good("GET", "/imports/feeds")
        assert not feed["stale"]


async def test_ten_thousand_rows_a_tenth_of_them_broken(rooms: Rooms) -> None:
    office = Importer(rooms)
    rows = [room(10_000 + n, 수용가능인원수="x" if n % 10 == 0 else "10", 위도=f"{35.10 + n % 100 * 0.0009:.6f}",
                 경도=f"{126.69 + n // 100 * 0.0009:.6f}") for n in range(10_000)]  # fmt: skip
    started = time.monotonic()
    report = await office.done(as_csv(*rows, encoding="cp949"))
    took_s = time.monotonic() - started
    assert report["rows"] == 10_000
    assert report["created"] + report["refused"] + report["elsewhere"] == 10_000
    assert report["created"] > 5_000
    assert len(report["errors"]) == 1_000
    assert took_s < 60, f"{took_s:.1f} s"
    assert counts(await office.done(as_csv(*rows), "dry-run"))[:3] == (0, 0, report["created"])


async def test_a_file_that_is_too_large_or_no_file_is_refused(rooms: Rooms) -> None:
    office = Importer(rooms)
    assert_problem(await office.send(b"x" * 20_000_001), 413, "too-large")
    assert broken_rules(await office.send(b"\xff\xfe\x00\x81")) == {("body.file", "encoding")}
    assert_problem(await rooms.ask("POST", "/imports/facilities", as_="citizen:하늘", content=b"x"), 403, "forbidden")
    assert (await office.send(b"x", source="hospitals")).status_code == 422
