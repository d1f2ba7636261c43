"""The real Kafka, PostgreSQL and Redis that tests run on: given by the environment, embedded, or in containers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import LogMessageWaitStrategy, PortWaitStrategy

from deploy.local import ports, state
from deploy.local.accounts import data_folder, unprivileged
from deploy.local.fleet import Fleet
from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.processes import created_at
from deploy.local.redis import Redis
from deploy.local.report import Quiet
from deploy.local.sweeper import sweeping
from tests.redis_cluster import Cluster

KAFKA_IMAGE, POSTGRES_IMAGE, REDIS_IMAGE = "apache/kafka:4.1.0", "postgres:17", "redis:8"
GIVEN = ("GWANGSAN_KAFKA_URL", "GWANGSAN_POSTGRES_URL", "GWANGSAN_REDIS_URL")


@dataclass(frozen=True)
class Addresses:
    """Where the three are, whoever runs them."""

    kafka_url: str
    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)


@contextmanager
def open_stack(kind: str, redis: str = "single") -> Iterator[Addresses]:
    """What the environment names, if it names all three; else the kind that was asked for."""
    if all(os.environ.get(name) for name in GIVEN):
        yield Addresses(*(os.environ[name] for name in GIVEN))
    elif kind == "containers":
        with _containers() as addresses:
            yield addresses
    else:
        with embedded(cluster=redis == "cluster") as (addresses, _):
            yield addresses


@contextmanager
def embedded(*names: str, cluster: bool = False, copies: bool = False) -> Iterator[tuple[Addresses, Fleet]]:
    """The embedded kafka, postgres and redis (or those named) alone, on free ports, in a folder that is deleted. Redis may
    be a cluster: redis-1, redis-2, redis-3; with `copies` redis-4, redis-5, redis-6 too.

    The fleet kills and starts each by name. Not `deploy.local.stack.running`: no service's migration should be able to
    break the tests of another.
    """
    place = Home(Path(tempfile.mkdtemp(prefix="gwangsan-tests-")).resolve())
    place.prepare()
    taken: list[int] = []
    for _ in range(4):
        taken.append(ports.pick(None, taken))
    kafka, postgres = Kafka(place, taken[0], taken[1], Quiet()), Postgres(place, taken[2], Quiet())
    redis = Cluster(place, taken, copies=copies) if cluster else Redis(place, taken[3])
    servers = redis.processes() if isinstance(redis, Cluster) else [redis.process()]
    steps = [kafka.process(), postgres.process(), *servers]
    fleet = Fleet(place, [s for s in steps if not names or s.name in names], Quiet(), lambda: recorded(place, fleet))
    try:
        with sweeping(place):
            try:
                fleet.start_all()
                if isinstance(redis, Cluster):
                    redis.join()
                yield Addresses(kafka.url, postgres.url, redis.url), fleet
            finally:
                fleet.stop_all()
    finally:
        shutil.rmtree(data_folder(place.folder, unprivileged()), ignore_errors=True)
        shutil.rmtree(place.folder, ignore_errors=True)


def recorded(place: Home, fleet: Fleet) -> None:
    """Written down, so that the sweeper finds them should this run be killed."""
    running = {
        name: state.Recorded(child.pid, child.created, None, child.process.wave, child.process.stop_signal)
        for name, child in fleet.children().items()
    }
    me = state.Recorded(os.getpid(), created_at(os.getpid()))
    state.write(place, state.State("ready", me, "", {}, [], running))


@contextmanager
def _containers() -> Iterator[Addresses]:
    try:
        DockerClient().client.ping()
    except (DockerException, OSError) as error:
        pytest.skip(f"--stack=containers: no container engine answers ({type(error).__name__})")
    postgres = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_USER", "gwangsan")
        .with_env("POSTGRES_PASSWORD", "gwangsan")
        .with_exposed_ports(5432)
        .waiting_for(LogMessageWaitStrategy("database system is ready to accept connections", times=2))
    )
    redis = DockerContainer(REDIS_IMAGE).with_exposed_ports(6379).waiting_for(PortWaitStrategy(6379))
    with ExitStack() as started:
        kafka_port = ports.pick(None, ())
        for container in (_kafka(kafka_port), postgres, redis):
            started.enter_context(container)
        yield Addresses(
            f"127.0.0.1:{kafka_port}",
            f"postgresql://gwangsan:gwangsan@{postgres.get_container_host_ip()}:{postgres.get_exposed_port(5432)}",
            f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0",
        )


def _kafka(port: int) -> DockerContainer:
    """The broker tells clients its address, so the port outside is chosen beforehand and is the same inside."""
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:19093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:19093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    for name, value in settings.items():
        container.with_env(f"KAFKA_{name}", value)
    return container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
