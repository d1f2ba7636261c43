"""`python -m services.matching.audit --citizen ID --at LAT,LON`: is a position of theirs stored anywhere (M9)?

    ./dev run services.matching.audit --citizen citizen:하늘 --at 35.1907,126.8222 [--at …] [--digits 4] [--logs DIR]

`--at -` reads points from standard input, a line each, so that none is left in the shell's history. Exit 1 if one is found.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from services.matching.audit.domain import Point, parsed
from services.matching.audit.search import search
from shared.settings import PlatformSettings


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.matching.audit", description=__doc__.splitlines()[0])
    parser.add_argument("--citizen", required=True, metavar="ID", help="whose positions: the subject of their token")
    parser.add_argument(
        "--at", required=True, action="append", metavar="LAT,LON", help="a place they were at; - reads lines"
    )
    parser.add_argument("--digits", type=int, default=4, help="digits after the point that must agree (4: about 10 m)")
    parser.add_argument("--logs", type=Path, default=default_logs(), metavar="DIR", help="folder of logs to search")
    given = parser.parse_args(arguments)
    try:
        points = [point for told in given.at for point in _points(told, given.digits)]
    except ValueError as error:
        parser.error(f"--at LAT,LON: {error}")
    report = asyncio.run(search(PlatformSettings(), given.citizen, points, given.logs))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.findings else 0


def _points(told: str, digits: int) -> list[Point]:
    lines = sys.stdin.read().split() if told == "-" else [told]
    return [parsed(line, digits) for line in lines]


def default_logs() -> Path:
    """Where `./dev up` writes them."""
    return Path(os.environ.get("GWANGSAN_HOME") or ".gwangsan") / "logs"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
