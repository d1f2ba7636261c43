"""The consumers of matching: `python -m services.matching.worker engine|inbox`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI

from services.matching.alerts.worker import InboxWorker
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from shared import runtime
from shared.web import Check, create_app, serve


class Worker(Protocol):
    """A consumer that runs until stopped and says what is wrong with it."""

    checks: dict[str, Check]

    async def run(self) -> None: ...
    def stop(self) -> None: ...


def build(worker: Worker, name: str, settings: Settings) -> FastAPI:
    """Health and metrics over HTTP; the worker lives as long as the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runtime.background(grace_s=20.0) as tasks:
            app.state.tasks = tasks
            tasks.start(name, worker.run())
            yield
            worker.stop()

    app = create_app(
        f"matching-{name}",
        settings,
        checks={**worker.checks, "tasks": lambda: app.state.tasks.problem()},
        lifespan=lifespan,
    )
    return app


def main(arguments: list[str]) -> int:
    settings = Settings()
    workers: dict[str, type[EngineWorker] | type[InboxWorker]] = {"engine": EngineWorker, "inbox": InboxWorker}
    if len(arguments) != 1 or arguments[0] not in workers:
        sys.stderr.write("usage: python -m services.matching.worker engine|inbox\n")
        return 2
    serve(build(workers[arguments[0]](settings), arguments[0], settings), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
