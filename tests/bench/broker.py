"""The stack that systems are measured on, with a broker that has room.

The embedded one is kept small for a laptop that runs the whole product. An operator's has a heap of 1 GB, as Kafka's own start script
gives it, and both compilers; so every system is measured on such a one, but for `GWANGSAN_KAFKA_JVM`, which goes first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.kafka import OPTIONS
from deploy.local.stack import Stack, running

ROOMY = "-Xms1g -Xmx1g -XX:+UseParallelGC -XX:ParallelGCThreads=2"


@contextmanager
def roomy_stack() -> Iterator[Stack]:
    """Infrastructure without services, stopped on leaving."""
    given = os.environ.get(OPTIONS)
    os.environ[OPTIONS] = given or ROOMY
    try:
        with running(services=False) as stack:
            yield stack
    finally:
        if given is None:
            del os.environ[OPTIONS]
