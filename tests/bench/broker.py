"""The stack that systems are measured on, with the small broker of the local stack or one that has room.

The embedded broker is kept small, for machines that run the whole product: its collector stops it every second or two under load, and
one compiler makes what runs seldom fast at once. An operator's has a heap of 1 GB, as Kafka's own start script gives it, and
both compilers: better once it has run for a while, worse for what begins. `GWANGSAN_KAFKA_JVM`, if given, goes first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.kafka import OPTIONS
from deploy.local.stack import Stack, running

ROOMY = "-Xms1g -Xmx1g -XX:+UseParallelGC -XX:ParallelGCThreads=2"


@contextmanager
def infrastructure(*, roomy: bool) -> Iterator[Stack]:
    """Without services, stopped on leaving."""
    given = os.environ.get(OPTIONS)
    if roomy and not given:
        os.environ[OPTIONS] = ROOMY
    try:
        with running(services=False) as stack:
            yield stack
    finally:
        if not given:
            os.environ.pop(OPTIONS, None)
