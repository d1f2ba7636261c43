"""Jobs under load: claims on one hot posting, a long list read by cursor, a large import.

    ./dev bench jobs [claims] [list] [import] [--seconds 15] [--citizens 64] [--slots 1000] [--postings 100000] [--rows 10000]

The service is a process of its own on a database of its own; load comes from this process over HTTP, so both share the
machine. Queries are counted by PostgreSQL itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench.jobs_claims import hot_posting
from tests.bench.jobs_import import large_import
from tests.bench.jobs_list import long_list
from tests.bench.jobs_stage import Stage, staged

Bench = Callable[[Stage, argparse.Namespace], Awaitable[dict[str, Any]]]
BENCHES: dict[str, Bench] = {"claims": hot_posting, "list": long_list, "import": large_import}


def run(json_out: str | None, args: list[str]) -> int:
    """Run what is named (all, if nothing is); print the figures and keep them in `json_out`."""
    parser = argparse.ArgumentParser("./dev bench jobs", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*BENCHES, []], help="claims, list, import")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--citizens", type=int, default=64)
    parser.add_argument("--slots", type=int, default=1_000)
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", dest="json_out", default=json_out)
    options = parser.parse_args(args)
    figures = asyncio.run(_run(options))
    if options.json_out:
        Path(options.json_out).write_text(json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(figure.get("held", True) for figure in figures.values()) else 1


async def _run(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    figures = {}
    async with staged() as stage:
        for name in options.which or BENCHES:
            figures[name] = await BENCHES[name](stage, options)
            sys.stdout.write(f"{name}: {json.dumps(figures[name], ensure_ascii=False)}\n")
            sys.stdout.flush()
    return figures


def main(arguments: list[str]) -> int:
    return run(None, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
