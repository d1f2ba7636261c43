"""A Redis Cluster of three masters on loopback, each with a copy where asked for: the embedded server many times over, joined by hand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from redis import Redis

from deploy.local import artifacts, ports
from deploy.local.home import Home
from deploy.local.probes import redis_ready
from deploy.local.processes import Launch, Process
from deploy.local.secrets import password, write_private

MASTERS, SLOTS = 3, 16_384
BUS = 10_000  # servers talk to one another at the port that is so much higher
DEADLINE_S, LOOK_EVERY_S = 60.0, 0.03


@dataclass(frozen=True)
class Server:
    """One of the cluster, a master or a copy. Like the embedded one it keeps nothing on disk but who the others are."""

    home: Home
    number: int
    port: int

    @property
    def name(self) -> str:
        return f"redis-{self.number}"

    def process(self) -> Process:
        ready = redis_ready(f"redis://127.0.0.1:{self.port}")
        return Process(self.name, self._prepare, ready, port=self.port, wave=2)

    def client(self) -> Redis:
        return Redis(port=self.port, password=password(self.home, "redis"), socket_timeout=5)

    def _prepare(self) -> Launch:
        folder = self.home.folder / "run" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        word = password(self.home, "redis")
        settings = {
            "bind": "127.0.0.1", "port": str(self.port), "dir": str(folder), "requirepass": word, "masterauth": word,
            "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "5000",
            "cluster-announce-ip": "127.0.0.1", "save": '""', "appendonly": "no", "maxmemory": "256mb",
            "maxmemory-policy": "noeviction", "daemonize": "no",
        }  # fmt: skip
        config = folder / "redis.conf"
        write_private(config, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return Launch((str(artifacts.redis()), str(config)))


class Cluster:
    """Three masters that share the slots, on free ports whose bus ports are free too: redis-1, redis-2, redis-3. With `copies` redis-4
    is one of the first, and so on.
    """

    def __init__(self, home: Home, taken: Container[int], *, copies: bool = False) -> None:
        self._home = home
        chosen: list[int] = []
        while len(chosen) < MASTERS * (1 + copies):
            port = ports.pick(None, taken)
            if port not in chosen and ports.is_free(port + BUS):
                chosen.append(port)
        every = [Server(home, number, port) for number, port in enumerate(chosen, 1)]
        self.masters, self.copies = every[:MASTERS], every[MASTERS:]

    @property
    def url(self) -> str:
        where = ",".join(f"127.0.0.1:{server.port}" for server in (*self.masters, *self.copies))
        return f"redis+cluster://:{password(self._home, 'redis')}@{where}"

    def processes(self) -> list[Process]:
        return [server.process() for server in (*self.masters, *self.copies)]

    def join(self) -> None:
        """Each master gets a third of the slots, and all meet the first; returns when each knows of all, and the copies have begun."""
        bounds = [round(SLOTS * nth / MASTERS) for nth in range(MASTERS + 1)]
        clients = [master.client() for master in self.masters]
        for nth, (client, (first, last)) in enumerate(zip(clients, itertools.pairwise(bounds), strict=True), 1):
            _asked(client, "CLUSTER SET-CONFIG-EPOCH", nth)
            _asked(client, "CLUSTER ADDSLOTS", *range(first, last))
        copies = [copy.client() for copy in self.copies]
        for client in (*clients[1:], *copies):
            _asked(client, "CLUSTER MEET", "127.0.0.1", self.masters[0].port)
        _await(lambda: all(_complete(client) for client in (*clients, *copies)))
        for client, master in zip(copies, clients, strict=False):
            _asked(client, "CLUSTER REPLICATE", _asked(master, "CLUSTER MYID"))
        _await(
            lambda: all(_asked(client, "INFO", "replication").get("master_link_status") == "up" for client in copies)
        )
        for client in (*clients, *copies):
            client.close()


def _await(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("the servers did not become a cluster")
        time.sleep(LOOK_EVERY_S)


def _complete(client: Redis) -> bool:
    state = _asked(client, "CLUSTER INFO")["cluster_state"]
    return bool(state == "ok" and len(_asked(client, "CLUSTER SLOTS")) == MASTERS)


def _asked(client: Redis, *command: str | int) -> Any:
    return client.execute_command(*command)  # type: ignore[no-untyped-call]
