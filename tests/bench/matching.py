"""The matching engine beside its peers: the same topics, one machine, one run, in alternating order, medians of the rounds.

./dev bench matching [--workload w2000 …] [--system engine …] [--rounds 5] [--fixes N] [--traces FILE] [--json OUT]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deploy.local.stack import running as stack_running
from tests.bench.arena import Arena
from tests.bench.contestants import SYSTEMS, System, Unavailable
from tests.bench.runs import Prepared, Result, fan_out, latency, stream
from tests.bench.workload import Spec, Workload, generate, of_traces, truth

STREAMED = ["engine", "floor", "geosearch", "geosearch-redis-py", "postgis", "tile38"]
OPENED = ["engine", "geosearch", "postgis", "tile38-nearby"]
RATE, BURST = 1_000, 200
Run = Callable[[Prepared, System], Awaitable[Result]]


def workloads(fixes: int) -> dict[str, tuple[Spec, Run, list[str]]]:
    """By name: what is on the topics, how it is measured, and which systems by default."""
    citizens = max(1_000, fixes // 10)

    def scale(workers: int) -> Run:
        return lambda ready, system: stream(ready, system, workers)

    return {
        "w500": (Spec(500, citizens, fixes), stream, STREAMED),
        "w2000": (Spec(2_000, citizens, fixes), stream, STREAMED),
        "w200k": (Spec(200_000, citizens, fixes, area=100), stream, STREAMED),
        "latency": (Spec(2_000, 50_000, RATE * 20), lambda ready, system: latency(ready, system, RATE), STREAMED),
        "fan-out": (Spec(0, 100_000, 100_000, once=True), lambda ready, system: fan_out(ready, system, BURST), OPENED),
        **{f"workers-{n}": (Spec(2_000, citizens, fixes), scale(n), ["engine"]) for n in (1, 2, 4)},
    }


def main(arguments: list[str]) -> int:
    options = _parsed(arguments)
    known = workloads(options.fixes)
    kept: list[Result] = []
    with stack_running(services=False) as stack:
        for name in options.workload or ["w2000"]:
            spec, run, systems = known["w2000" if name == "traces" else name]
            work = of_traces(Path(options.traces), 2_000) if name == "traces" else generate(spec)
            chosen = [SYSTEMS[system] for system in options.system or systems]
            kept += asyncio.run(_measured(Arena(stack), name, work, run, chosen, options))
    if options.json:
        before = json.loads(Path(options.json).read_text()) if options.add and Path(options.json).exists() else []
        Path(options.json).write_text(json.dumps(before + kept, indent=1, ensure_ascii=False) + "\n")
    return 1 if any(line["missing"] for line in kept if line["system"] == "engine" and "missing" in line) else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench matching", description=__doc__)
    parser.add_argument("--workload", action="append", choices=[*workloads(1), "traces"])
    parser.add_argument("--system", action="append", choices=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fixes", type=int, default=500_000)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which a run is cut off")
    parser.add_argument("--traces", metavar="FILE", help="recorded movement, as data/gwangsan_traces.csv.gz")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--add", action="store_true", help="to what OUT holds already")
    options = parser.parse_args(arguments)
    if options.traces:
        options.workload = [*(options.workload or []), *([] if "traces" in (options.workload or []) else ["traces"])]
    return options


async def _measured(
    arena: Arena, name: str, work: Workload, run: Run, systems: list[System], options: argparse.Namespace
) -> list[Result]:
    """Every system in every round, the order turned round each time."""
    await arena.fill(work, fixes=name != "latency")
    ready = Prepared(arena, work, truth(work), options.limit)
    rounds: dict[str, list[Result]] = {system.name: [] for system in systems}
    if name not in {"latency", "fan-out"}:
        await stream(ready, SYSTEMS["floor"])  # not counted: a broker that has just begun compiles itself first
    for nth in range(options.rounds):
        for system in systems if nth % 2 == 0 else systems[::-1]:
            try:
                result = await run(ready, system)
            except Unavailable as why:
                sys.stderr.write(f"{system.name} is skipped: {why}\n")
                continue
            rounds[system.name].append(result)
            sys.stderr.write(f"{name} {nth + 1}/{options.rounds} {system.name}: {json.dumps(result)}\n")
    spec = {key: vars(work.spec)[key] for key in ("postings", "citizens", "fixes", "area")}
    params = {**spec, "rounds": options.rounds}
    return [{"system": s, "workload": name, "params": params, **_median(found)} for s, found in rounds.items() if found]


def _median(found: list[Any]) -> Any:
    """Of each figure by itself; worst of what should be none."""
    if isinstance(found[0], dict):
        names = [name for name in found[0] if all(name in one for one in found)]
        worst = {"missing", "extra", "duplicate"}
        return {n: max(o[n] for o in found) if n in worst else _median([o[n] for o in found]) for n in names}
    return found[0] if isinstance(found[0], bool) else round(statistics.median(found), 2)
