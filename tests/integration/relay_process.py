"""`python -m tests.integration.relay_process DSN KAFKA_URL NAME FROZEN_AFTER_S`: a relay alone, to be killed by tests."""

from __future__ import annotations

import asyncio
import sys

from shared import telemetry
from shared.messaging.relay import Relay


def main(dsn: str, kafka_url: str, name: str, frozen_after_s: str) -> None:
    telemetry.configure(name)
    asyncio.run(Relay(dsn, kafka_url, service=name, poll_s=0.1, frozen_after_s=float(frozen_after_s)).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
