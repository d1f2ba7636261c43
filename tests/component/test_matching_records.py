"""What was done with one's location (위치정보법 §16②): counted by the hour, one's own alone, to be downloaded."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest_asyncio

from services.matching.consent import store as consents
from services.matching.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.samples import alert, posting


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


async def test_collecting_and_using_are_counted_and_hold_no_place(desk: MatchingDesk) -> None:
    citizen, other = f"citizen:{uuid4().hex[:8]}", f"citizen:{uuid4().hex[:8]}"
    for who in (citizen, other):
        await desk.consents(who)
    fixes = [
        {"lat": 35.19, "lon": 126.82, "accuracy_m": 5, "observed_at": (desk.now - timedelta(seconds=s)).isoformat()}
        for s in (3, 2, 1)
    ]
    sent = await desk.http.post("/positions", json={"fixes": fixes}, headers=desk.bearer(citizen))
    assert sent.status_code == 202
    soon = desk.now + timedelta(days=1)
    told = [alert(who, posting(expires_at=soon), made_at=desk.now) for who in (citizen, citizen, other)]
    await desk.alerted(*told)
    await desk.alerted(told[0])

    records = (await desk.get("/location-records", citizen)).json()
    assert {(r["act"], r["how"]): r["times"] for r in records} == {("collected", "positions"): 3, ("used", "alert"): 2}
    assert set(records[0]) == {"act", "how", "hour", "times", "first_at", "last_at"}

    answer = await desk.get("/location-records", citizen, format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert {(r["act"], int(r["times"])) for r in rows} == {("collected", 3), ("used", 2)}
    assert all(datetime.fromisoformat(r["first_at"]).utcoffset() == timedelta(hours=9) for r in rows)
    by_header = await desk.get("/location-records", citizen, {"Accept": "text/csv"})
    assert by_header.text == answer.text


async def test_records_are_deleted_after_six_months(desk: MatchingDesk) -> None:
    citizen = f"citizen:{uuid4().hex[:8]}"
    for days, left in ((183, 1), (185, 0)):
        async with desk.database.transaction() as tx:
            await consents.record_uses(tx, [citizen], "used", f"alert-{days}", desk.now - timedelta(days=days))
            await consents.forget_records(tx, desk.now, desk.settings.records_kept_days)
        rows = await desk.rows("SELECT 1 FROM location_record WHERE citizen_id = :id AND how = :how", id=citizen,
                               how=f"alert-{days}")  # fmt: skip
        assert len(rows) == left
