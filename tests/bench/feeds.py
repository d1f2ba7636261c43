"""Feeds from memory: requests a second on one process, and what each costs it.

    ./dev bench feeds [--seconds 10] [--connections 16] [--notices 2000]

The service is a process of its own on a database of its own; the load comes from this process over kept connections, so both
share the machine. `held` is at least 2,000 requests a second of each kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.jobs_stage import Stage, percentile_ms, staged

WANTED_PER_S = 2_000
_FILL = """
    INSERT INTO notice (id, version, urgency_epoch, urgent, status, institution, posted_by, channel, headline, body, circles, dongs,
        interests, expires_at, created_at, changed_at)
    SELECT gen_random_uuid(), 1, 0, false, 'open', '기관 ' || n % 20, 'officer:표본', '기관 ' || n % 20, '표본 소식 ' || n,
        repeat('본문 ', 80),
        '[]', '{1233063700}', '{}', now() + interval '10 days', now() - n * interval '1 second', now()
    FROM generate_series(1, $1) AS n
"""


async def measured(stage: Stage, options: argparse.Namespace, path: str, header: str = "") -> dict[str, Any]:
    """Every connection asks again as soon as it is answered."""
    host, port = stage.http.base_url.host, stage.http.base_url.port or 80
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n".encode()
    took, until = list[float](), time.perf_counter() + options.seconds
    sizes = set[int]()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while (began := time.perf_counter()) < until:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = (
                int(head.partition("content-length: ")[2].partition("\r")[0] or 0) if " 304 " not in head[:20] else 0
            )
            sizes.add(len(await reader.readexactly(length)))
            took.append(time.perf_counter() - began)
        writer.close()

    cpu_s, began = stage.cpu_s(), time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(options.connections)))
    elapsed = time.perf_counter() - began
    return {
        "requests_per_s": round(len(took) / elapsed), "p50_ms": percentile_ms(took, 0.5), "p99_ms": percentile_ms(took, 0.99),
        "cpu_us_per_request": round((stage.cpu_s() - cpu_s) / len(took) * 1e6), "bytes": max(sizes),
        "held": len(took) / elapsed >= WANTED_PER_S,
    }  # fmt: skip


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    async with staged("notices") as stage:
        await stage.sql(_FILL, options.notices)
        first = await stage.http.get("/feeds/atom")
        figures = {
            "atom, known (304)": await measured(
                stage, options, "/feeds/atom", f"If-None-Match: {first.headers['etag']}\r\n"
            ),
            "atom, whole (200)": await measured(stage, options, "/feeds/atom"),
            "json, one channel (200)": await measured(stage, options, "/feeds/json?channel=%EA%B8%B0%EA%B4%80%207"),
        }
    for name, figure in figures.items():
        sys.stdout.write(f"{name}: {json.dumps(figure)}\n")
    return figures


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("./dev bench feeds", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--notices", type=int, default=2_000)
    parser.add_argument("--json", dest="json_out")
    options = parser.parse_args(arguments)
    figures = asyncio.run(_run(options))
    if options.json_out:
        Path(options.json_out).write_text(json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(figure["held"] for figure in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
