"""`python -m tests.integration.consumer_process KAFKA_URL DATABASE_URL TOPIC GROUP`: a consumer to be killed by tests."""

from __future__ import annotations

import asyncio
import sys

from shared import telemetry
from shared.database import Database
from shared.settings import PlatformSettings
from tests.integration.groups import Group


def main(kafka_url: str, database_url: str, topic: str, name: str) -> None:
    telemetry.configure(name)
    settings = PlatformSettings(kafka_url=kafka_url)

    async def consume() -> None:
        await Group(settings, Database(database_url), topic, name).consumer(max_records=20).run()

    asyncio.run(consume())


if __name__ == "__main__":
    main(*sys.argv[1:])
