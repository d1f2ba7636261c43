"""Spaces under load: free times of 500 spaces for a week, bookings a second, both at 10,000 and at 1,000,000 bookings.

    ./dev bench spaces [--sizes 10000,1000000] [--seconds 10] [--citizens 32] [--json OUT] [--explain OUT]

The service is a process of its own on a database of its own; load comes from this process over HTTP, so both share the
machine. The database is filled by COPY; between two sizes only bookings are added.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncpg

from tests.bench.jobs_stage import Stage
from tests.bench.spaces_availability import explained, week_of_all
from tests.bench.spaces_bookings import rush
from tests.bench.spaces_stage import fill, open_samples, staged

FLAT = 2.0


def main(arguments: list[str]) -> int:
    """Print the figures of each size and keep them. Fails where more than one statement is needed or cost is not flat."""
    parser = argparse.ArgumentParser("./dev bench spaces", description=__doc__)
    parser.add_argument("--sizes", default="10000,1000000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--citizens", type=int, default=32)
    parser.add_argument("--json", dest="json_out")
    parser.add_argument("--explain", dest="explain_out", help="where to keep the plan at the largest size")
    options = parser.parse_args(arguments)
    figures = asyncio.run(_run(options))
    if options.json_out:
        Path(options.json_out).write_text(json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if figures["held"] else 1


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with staged() as stage:
        connection = await asyncpg.connect(stage.dsn)
        await open_samples(connection)
        for size in map(int, options.sizes.split(",")):
            figures[str(size)] = await _at(stage, connection, size, options)
            sys.stdout.write(f"{size}: {json.dumps(figures[str(size)], ensure_ascii=False)}\n")
            sys.stdout.flush()
        if options.explain_out:
            Path(options.explain_out).write_text(await explained(connection), encoding="utf-8")
        await connection.close()
    sizes = list(figures.values())
    first, last = sizes[0]["bookings"], sizes[-1]["bookings"]
    flat = last["service_cpu_ms_per_booking"] <= FLAT * first["service_cpu_ms_per_booking"]
    return {
        **figures,
        "flat": flat,
        "held": flat and all(s["availability"]["statements"] == 1 and s["bookings"]["held"] for s in sizes),
    }


async def _at(stage: Stage, connection: asyncpg.Connection, size: int, options: argparse.Namespace) -> dict[str, Any]:
    await fill(connection, size)
    return {
        "availability": await week_of_all(stage, connection),
        "bookings": await rush(stage, connection, options.seconds, options.citizens),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
