"""The matching engine beside its peers: the same topics, one machine, one run, in alternating order, medians of the rounds.

    ./dev bench matching [--workload w2000 …] [--system engine …] [--rounds 5] [--fixes 500000] [--traces FILE]
                         [--json OUT [--add]] [--details OUT]

w500, w2000, w200k: so many postings (w200k: the district of w2000 a hundred times side by side; w200k-drawn: one of a hundred times its
size drawn anew, in which a fix meets a quarter more). traces: recorded movement. latency: 1,000 fixes a second, on a
broker with room, and latency-small on the small one of the local stack and of all other workloads.
fanout: one posting, then 200 at once, among 100,000 citizens. scale: 1, 2 and 4 engines. Without --workload all of them, for some
two hours. A peer that this machine lacks is skipped with a line. Kafka hooks of Tile38 get one citizen in a hundred.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from deploy.local.home import ROOT
from tests.bench import chart, crowd
from tests.bench.arena import Arena
from tests.bench.backends import missing
from tests.bench.broker import infrastructure
from tests.bench.contestants import SYSTEMS, System
from tests.bench.runs import Prepared, Result, fan_out, latency, stream
from tests.bench.workload import Spec, Workload, generate, of_traces, part, tiled, truth

STREAMED = [
    "engine", "floor", "floor-written", "floor-batches", "geosearch", "geosearch-redis-py", "postgis", "tile38", "tile38-hooks",
]  # fmt: skip
HEARD = [name for name in STREAMED if not name.startswith("floor")]
OPENED = ["engine", "geosearch", "geosearch-redis-py", "postgis", "tile38-nearby"]
SCALED = ["engine", "engine-2", "engine-4"]
TRACES = ROOT / "data" / "gwangsan_traces.csv.gz"
RATE, BURST, COPIES = 1_000, crowd.BURST, 2
FIELDS = ("fixes_per_s", "alerts_per_s", "cpu_us_per_fix", "p99_ms", "missing", "duplicate")
WORST = ("missing", "duplicate", "extra")
Run = Callable[[Prepared, System], Awaitable[list[Result]]]


@dataclass(frozen=True)
class Bench:
    """`made` gives what is on the topics, `run` measures a system on it, `names` are the systems for which that makes sense. `first`
    go first and are not counted: a broker that has just begun compiles itself. `roomy` gives it room (broker.py).
    """

    made: Callable[[], Workload]
    run: Run
    names: Sequence[str]
    preloaded: bool = True
    first: Sequence[str] = ("floor",)
    roomy: bool = False


def benches(fixes: int, traces: Path) -> dict[str, Bench]:
    citizens = max(1_000, fixes // 10)

    def walked(postings: int, area: int = 1) -> Callable[[], Workload]:
        return lambda: generate(Spec(postings, citizens, fixes, area))

    def pacing() -> Workload:
        return generate(Spec(2_000, 50_000, RATE * 20))

    def paced(ready: Prepared, system: System) -> Awaitable[list[Result]]:
        return latency(ready, system, RATE)

    def opened(ready: Prepared, system: System) -> Awaitable[list[Result]]:
        return fan_out(ready, system, BURST)

    return {
        "w500": Bench(walked(500), stream, STREAMED),
        "w2000": Bench(walked(2_000), stream, STREAMED),
        "w200k": Bench(lambda: tiled(Spec(2_000, citizens, fixes), 10), stream, STREAMED),
        "w200k-drawn": Bench(walked(200_000, 100), stream, STREAMED),
        "traces": Bench(lambda: of_traces(traces, 2_000, COPIES), stream, STREAMED),
        "latency": Bench(pacing, paced, HEARD, preloaded=False, first=("floor", "engine"), roomy=True),
        "latency-small": Bench(pacing, paced, HEARD, preloaded=False),
        "fanout": Bench(lambda: crowd.generate()[0], opened, OPENED, first=("engine",)),
        "scale": Bench(walked(2_000), stream, SCALED),
    }


def main(arguments: list[str]) -> int:
    options = _parsed(arguments)
    known = benches(options.fixes, Path(options.traces))
    rows: list[Result] = []
    for name in options.workload or known:
        for system in (SYSTEMS[one] for one in options.system or known[name].names):
            if why := missing(system.backend):
                sys.stderr.write(f"{name}: {system.name} is skipped: {why}\n")
        with infrastructure(roomy=known[name].roomy) as stack:
            rows += uvloop.run(_measured(Arena(stack), name, known[name], options))
        _keep(rows, options)
    sys.stdout.write(chart.table(rows))
    return 1 if any(row["missing"] or row["duplicate"] for row in rows if row["system"].startswith("engine")) else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="./dev bench matching", description=__doc__, formatter_class=form)
    parser.add_argument("--workload", action="append", choices=list(benches(1, TRACES)))
    parser.add_argument("--system", action="append", choices=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fixes", type=int, default=500_000)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a run is cut off")
    parser.add_argument("--traces", metavar="FILE", default=str(TRACES), help="columns citizen, second, lat, lon")
    parser.add_argument("--json", metavar="OUT", help="a list of one object per system and workload")
    parser.add_argument("--add", action="store_true", help="to what both OUT hold: medians are of all rounds together")
    parser.add_argument("--details", metavar="OUT", help="every round, with CPU seconds and memory of each process")
    options = parser.parse_args(arguments)
    if options.traces != str(TRACES) and options.workload is None:
        options.workload = ["traces"]
    options.kept, options.details_kept = (_held(out) if options.add else [] for out in (options.json, options.details))
    return options


def _held(out: str | None) -> list[Result]:
    held: list[Result] = json.loads(Path(out).read_text()) if out and Path(out).exists() else []
    return held


async def _measured(arena: Arena, name: str, bench: Bench, options: argparse.Namespace) -> list[Result]:
    """Those that take the whole workload together, then those that take a part of it."""
    here = [system for one in options.system or bench.names if not missing((system := SYSTEMS[one]).backend)]
    rows: list[Result] = []
    for share in sorted({_share(bench, system) for system in here}, reverse=True):
        work = part(bench.made(), share)
        await arena.fill(work, fixes=bench.preloaded)
        ready = Prepared(arena, work, truth(work), options.limit)
        if share == 1.0:
            for one in bench.first:
                await bench.run(ready, SYSTEMS[one])
        rows += await _rounds(ready, name, bench, [s for s in here if _share(bench, s) == share], options)
    return rows


def _share(bench: Bench, system: System) -> float:
    return system.share if bench.run is stream else 1.0


async def _rounds(
    ready: Prepared, name: str, bench: Bench, systems: list[System], options: argparse.Namespace
) -> list[Result]:
    """Every system in every round, the order turned round each time; rounds of an earlier run count on."""
    spec = {key: vars(ready.work.spec)[key] for key in ("postings", "citizens", "fixes", "area")}
    before = {
        (one["system"], one["round"]) for one in options.details_kept if (one["workload"], one["of"]) == (name, spec)
    }
    first = max((nth for _, nth in before), default=0) + 1
    for nth in range(first, first + options.rounds):
        for system in systems if nth % 2 else systems[::-1]:
            results = await bench.run(ready, system)
            known = {"workload": name, "system": system.name, "of": spec, "round": nth}
            options.details_kept += [{**known, "part": part_, **result} for part_, result in enumerate(results)]
            _write(options.details, options.details_kept)
            sys.stderr.write(f"{name} {nth} {system.name}: {json.dumps(results)}\n")
    rows: list[Result] = []
    for system in systems:
        mine = [
            one
            for one in options.details_kept
            if (one["workload"], one["system"], one["of"]) == (name, system.name, spec)
        ]
        rows += [row(system, [o for o in mine if o["part"] == nth]) for nth in sorted({one["part"] for one in mine})]
    return rows


def row(system: System, found: list[Result]) -> Result:
    """As it is kept: medians over the rounds, worst of what should be none, null for what is not measured."""
    name = found[0]["workload"]
    params = {**found[0]["of"], "rounds": len(found), "workers": system.workers}
    params |= {key: _middle([one["params"][key] for one in found]) for key in found[0].get("params", {})}
    if any("cut_off" in one for one in found):
        params["cut_off"] = True
    figures = {}
    for field in FIELDS:
        values = [one[field] for one in found if field in one]
        figures[field] = None if not values else max(values) if field in WORST else _middle(values)
    return {"system": system.name, "workload": name, "params": params, **figures}


def _middle(values: list[Any]) -> Any:
    return round(statistics.median(values), 2)


def _keep(rows: list[Result], options: argparse.Namespace) -> None:
    """After each workload; rounds are kept one by one, so that a run that is stopped loses none and `--add` goes on."""
    fresh = {(one["system"], one["workload"]) for one in rows}
    kept = [one for one in options.kept if (one["system"], one["workload"]) not in fresh]
    _write(options.json, kept + rows)


def _write(out: str | None, held: list[Result]) -> None:
    if out:
        Path(out).write_text("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in held) + "\n]\n")
