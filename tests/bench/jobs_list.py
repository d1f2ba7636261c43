"""A hundred thousand open postings, read to the end by cursor: as quick on the last page as on the first."""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.bench.jobs_stage import Stage, percentile_ms

PAGE = 200
_FILL = """
    INSERT INTO posting (id, version, status, institution, posted_by, headline, description, place_name, lat, lon, radius_m,
        interests, starts_at, ends_at, expires_at, pay_krw, pay_per, slots, created_at, changed_at)
    SELECT gen_random_uuid(), 1, 'open', '기관 ' || n % 300, 'officer:표본', '표본 일자리 ' || n, '', '표본 장소',
        35.08 + (n % 1000) * 0.00017, 126.66 + (n / 1000) * 0.0019, 700, '{}', now() + interval '2 days',
        now() + interval '2 days 2 hours', now() + interval '2 days', 12000, 'hour', 1, now() - n * interval '1 second', now()
    FROM generate_series(1, $1) AS n
"""


async def long_list(stage: Stage, options: argparse.Namespace) -> dict[str, Any]:
    """`held`: every posting came once, and the last tenth of pages takes no longer than twice the first tenth."""
    await stage.sql(_FILL, options.postings)
    await stage.sql("ANALYZE posting")
    cursor, seen, took = None, set[str](), list[float]()
    while True:
        query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        started = time.perf_counter()
        page = (await stage.http.get("/postings", params=query)).json()
        took.append(time.perf_counter() - started)
        seen |= {item["id"] for item in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            break
    tenth = max(1, len(took) // 10)
    first, last = sorted(took[:tenth])[tenth // 2], sorted(took[-tenth:])[tenth // 2]
    plan = await stage.sql(
        "EXPLAIN SELECT * FROM posting WHERE status = 'open' AND expires_at > now() AND (created_at, id) < "
        "(now() - interval '20 hours', gen_random_uuid()) ORDER BY created_at DESC, id DESC LIMIT 201"
    )
    indexed = any("posting_open_newest" in row[0] for row in plan)
    return {
        "postings": len(seen), "pages": len(took), "p50_ms": percentile_ms(took, 0.5), "p99_ms": percentile_ms(took, 0.99),
        "median_ms_first_tenth": round(first * 1000, 1), "median_ms_last_tenth": round(last * 1000, 1),
        "one_indexed_query_a_page": indexed,
        "held": len(seen) >= options.postings and last <= 2 * first and indexed,
    }  # fmt: skip
