"""The page's own modules, run in the browser, against what the platform computes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from shared.geo import district, haversine_m
from tests.e2e.acting import Visit

pytestmark = pytest.mark.e2e

SPLIT_EVERYWHERE = """async () => {
    const { EventParser } = await import('/scripts/net/stream.js');
    const text = ': beat\\r\\nid: 7\\nevent: alert\\ndata: {"a":\\ndata: 1}\\n\\nretry: 50\\r\\rdata: 나머지\\r\\n\\r\\n';
    const whole = JSON.stringify(new EventParser().feed(text));
    const wrong = [];
    for (let i = 0; i <= text.length; i += 1) for (let j = i; j <= text.length; j += 1) {
        const parser = new EventParser();
        const parts = [text.slice(0, i), text.slice(i, j), text.slice(j)].flatMap((part) => parser.feed(part));
        if (JSON.stringify(parts) !== whole) wrong.push([i, j]);
    }
    return { whole, wrong };
}"""
GEOMETRY = """async (points) => {
    const geo = await import('/scripts/domain/geo.js');
    const dongs = geo.dongsOf(await (await fetch('/api/matching/dongs')).json());
    const projection = new geo.Projection({ lat: 35.17, lon: 126.75 });
    return points.map(([a, b]) => {
        const [[x, y], [u, v]] = [projection.to(a), projection.to(b)];
        return { metres: geo.distanceM(a, b), drawn: Math.hypot(x - u, y - v), dong: geo.dongAt(dongs, a)?.name ?? null };
    });
}"""
CLOCK = """async () => {
    const { SimClock } = await import('/scripts/domain/simclock.js');
    let now = 1_000_000_000;
    const clock = new SimClock(() => now);
    const times = [[0, 0], [3000, 0], [0, 1000], [5000, 100], [20000, 0], [0, 500000], [100, 0]].map(([metres, later]) => {
        now += later;
        const at = clock.after(metres);
        return { metres, now, at: at && at.getTime() };
    });
    return times;
}"""


async def test_events_are_the_same_however_they_are_cut(visit: Visit) -> None:
    page = await visit.open()
    told = await page.evaluate(SPLIT_EVERYWHERE)
    assert (
        told["whole"]
        == '[{"type":"alert","data":"{\\"a\\":\\n1}","id":"7"},{"type":"message","data":"나머지","id":"7"}]'
    )
    assert told["wrong"] == []


async def test_the_page_measures_as_the_platform_does(visit: Visit) -> None:
    page = await visit.open()
    chance, places = random.Random(17), district()
    points = [
        [{"lat": chance.uniform(35.06, 35.27), "lon": chance.uniform(126.64, 126.87)} for _ in range(2)]
        for _ in range(400)
    ]
    for (a, b), told in zip(points, await page.evaluate(GEOMETRY, points), strict=True):
        metres = haversine_m(a["lat"], a["lon"], b["lat"], b["lon"])
        assert told["metres"] == pytest.approx(metres, abs=0.01)
        assert told["drawn"] == pytest.approx(metres, rel=0.003)
        found = places.dong_at(a["lat"], a["lon"])
        assert told["dong"] == (found.name if found else None)


async def test_the_sample_citizen_s_clock_stays_plausible(visit: Visit) -> None:
    page = await visit.open()
    times = [told for told in await page.evaluate(CLOCK) if told["at"] is not None]
    assert len(times) == 6, "only the jump of 20 km finds too little time"
    for before, after in pairwise(times):
        assert after["at"] - before["at"] >= max(1_000, after["metres"] / 70 * 1_000)
    assert all(told["now"] - 600_000 < told["at"] <= told["now"] for told in times)
