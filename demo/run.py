"""One run of the demo, from reading the recording to clearing up."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from demo import offers, people, summary, traces
from demo.client import Api, connected
from demo.judge import Judge, Verdict, figures
from demo.offers import Offer
from demo.replay import Replay
from demo.stage import Stage
from demo.streams import SAMPLE, Gauges, Listener
from demo.tally import Log, Tally
from demo.truth import truth_of
from demo.view import OWN_TRACES, PROVENANCE, View
from deploy.local.stack import Stack

OPENED_LATE = 0.1
MOST_LATE = 8
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    traces: Path = traces.BUILT_IN
    postings: int = 60
    speed: float | None = 3.0
    minutes: float | None = None
    json_out: Path | None = None
    seed: int = 1
    plain: bool = False
    keep: bool = False


class Run:
    """Everything of one run; `play` does it."""

    def __init__(self, options: Options) -> None:
        ways = traces.slices(traces.read(options.traces, options.minutes))
        self.options, self.now, self.name = options, datetime.now(UTC), uuid4().hex[:4]
        citizens = people.sample(ways, self.name, options.seed, self.now)
        log = Log(citizens)
        self.offers = offers.made(options.postings, options.seed, self.now, log.lat, log.lon)
        self.tally = Tally(citizens, len(self.offers), log, options.speed)

    @property
    def provenance(self) -> tuple[str, ...]:
        own = self.options.traces != traces.BUILT_IN
        return tuple(line.format(name=self.options.traces.name) for line in OWN_TRACES) if own else PROVENANCE

    async def play(self, stack: Stack, console: Console) -> Verdict:
        """The comparison of what was told with what had to be told."""
        drawn = console.is_terminal and not self.options.plain
        view = View(console, self.tally, self.provenance, stack.gateway_url, drawn=drawn)
        async with connected(stack, SAMPLE) as api, asyncio.TaskGroup() as background:
            watching = background.create_task(view.watch())
            gauges = background.create_task(Gauges(stack, self.tally).run())
            stage = Stage(api, self.tally, self.name)
            try:
                verdict = await self._act(api, stage)
            finally:
                if not self.options.keep:
                    await stage.clear()
            watching.cancel()
            gauges.cancel()
        return verdict

    async def _act(self, api: Api, stage: Stage) -> Verdict:
        late = min(MOST_LATE, int(len(self.offers) * OPENED_LATE))
        early, later = self.offers[: len(self.offers) - late], self.offers[len(self.offers) - late :]
        await stage.open_all(early)
        await self._foresee()
        await stage.welcome(self.tally.people)
        async with asyncio.TaskGroup() as listening:
            tasks = await self._listen(api, listening)
            self.tally.phase, self.tally.step = "재생 중 replaying", (0, 0)
            async with asyncio.TaskGroup() as moving:
                moving.create_task(Replay(api, self.tally, self.options.seed).run())
                moving.create_task(self._open_later(stage, later))
            verdict = await Judge(api, self.tally, self.now).verdict()
            for task in tasks:
                task.cancel()
        return verdict

    async def _foresee(self) -> None:
        """Which fix is going to decide, so that delays can be shown as they come."""
        self.tally.phase, self.tally.step = "정답 계산 computing the truth", (0, 0)
        citizens = [person.wants for person in self.tally.people]
        wanted = [opened.wanted() for opened in self.tally.opened]
        self.tally.preview = await asyncio.to_thread(truth_of, citizens, wanted, self.tally.log.movement(), self.now)

    async def _listen(self, api: Api, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Streams of a sample of those who are going to be told something."""
        told = sorted({person for person, _ in self.tally.preview.expected})
        chance = random.Random(self.options.seed)
        self.tally.listeners = chance.sample(told, min(SAMPLE, len(told)))
        self.tally.phase, self.tally.step = "스트림 열기 opening live streams", (0, 0)
        listeners = [Listener(api, self.tally, person) for person in self.tally.listeners]
        tasks = [group.create_task(listener.run()) for listener in listeners]
        for listener in listeners:
            await listener.open.wait()
        return tasks

    async def _open_later(self, stage: Stage, later: list[Offer]) -> None:
        """The other side of a change: offers that open while citizens stand there, spread over the middle of the run."""
        for i, offer in enumerate(later):
            due = self.tally.total * (0.25 + 0.5 * (i + 1) / (len(later) + 1))
            while self.tally.sent < due:  # noqa: ASYNC110 a count that thousands of tasks raise; ten looks a second do
                await asyncio.sleep(LOOK_EVERY_S)
            await stage.open(offer, during_run=True)


def report(run: Run, verdict: Verdict, console: Console) -> int:
    """The summary, the figures where they were asked for, and the exit code."""
    summary.show(console, run.tally, verdict, run.provenance)
    if run.options.json_out is not None:
        told = json.dumps(figures(run.tally, verdict), ensure_ascii=False, indent=2)
        run.options.json_out.write_text(told + "\n", encoding="utf-8")
    return 0 if verdict.passed else 1
