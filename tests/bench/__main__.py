"""`./dev bench NAME [options]`: each benchmark prints its figures and, with --json OUT, keeps them."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = {
    "engine": "one matching worker, Kafka in and Kafka out",
    "stages": "where each microsecond of the engine goes",
    "kills": "what the inbox holds when workers, Redis and the broker are killed amid 200,000 fixes",
    "matching": "the engine beside Tile38, Redis GEOSEARCH, PostGIS and a bare copy; latency, fan-out, several workers",
    "fan_out": "a posting that opens among 100,000 citizens, and 200 at once, beside the peers",
    "chart": "what `matching --json docs/bench/matching.json` measured, as tables and a chart in the docs",
    "memory": "what Redis takes for 100,000 citizens and 100,000 postings",
    "rebuild": "a worker that starts with nothing among 200,000 postings and 100,000 citizens",
    "jobs": "claims on one hot posting, lists of 100,000, imports of 10,000 rows",
    "spaces": "free times of 500 spaces for a week, bookings a second, at 10,000 and 1,000,000 bookings",
    "spaces_import": "전국공공시설개방정보표준데이터 of 10,000 rows: looked at, applied, again, every row changed",
    "notices": "a notice to 100,000 residents: the last alert in the inboxes, and memory",
    "digests": "digests of 100,000 citizens at one hour: the last in Kafka, the last mail at the relay",
    "feeds": "Atom and JSON feeds from memory: requests a second and CPU of each",
    "journey": "from a position accepted by HTTP to the alert on the stream, and the memory of the whole stack",
}
USAGE = "usage: ./dev bench NAME [--json OUT] [options]\n\n" + "".join(
    f"  {n:<14}{about}\n" for n, about in BENCHES.items()
)


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(USAGE)
        return 0
    if arguments[0] not in BENCHES:
        sys.stderr.write(f"no benchmark {arguments[0]!r}\n\n{USAGE}")
        return 2
    code: int = import_module(f"tests.bench.{arguments[0]}").main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
