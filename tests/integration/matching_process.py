"""`python -m tests.integration.matching_process engine|inbox SETTINGS`: a worker of matching alone, to be killed by tests."""

from __future__ import annotations

import sys

from services.matching.alerts.worker import InboxWorker
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from services.matching.worker import Worker, build
from shared.web import serve


def main(name: str, told: str) -> None:
    settings = Settings.model_validate_json(told)
    worker: Worker = EngineWorker(settings) if name == "engine" else InboxWorker(settings)
    serve(build(worker, name, settings), settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
