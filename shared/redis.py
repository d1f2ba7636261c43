"""A client for Redis or for a Redis Cluster, whichever the address names.

    redis://[:password@]host:port/0                     one server; rediss:// with TLS
    redis+cluster://[:password@]host:port,host:port     a cluster, found through any of these; rediss+cluster:// with TLS

Of a cluster nobody may ask for what lies on two of its servers at once, so every command names one key, and what a pipeline
queues is sent to each server by itself (tests/unit/test_redis_keys.py holds the code to that). Keys that belong together
share a hash tag.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ClusterDownError, RedisClusterException, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

CLUSTER = "+cluster"
PORT = 6379
# A cluster's client refuses, where a single server's waits for a free connection.
TRIES = 1_000  # more than it takes to meet a hundred servers by chance
CONNECTIONS, CONNECTIONS_OF_A_NODE = 20, 1_000
AWAY = (RedisConnectionError, RedisTimeoutError, BusyLoadingError)
# The last is what the client says of a cluster of which no server answers; it is no RedisError.
FAULTS = (*AWAY, ClusterDownError, TryAgainError, RedisClusterException, OSError)


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client that rides out a restart. Nothing is connected yet. Raises ValueError for an address it does not know."""
    retry = Retry(ExponentialBackoff(cap=1, base=0.05), 3)
    if not is_cluster(url):
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=timeout_s, socket_timeout=timeout_s, socket_connect_timeout=timeout_s,
            health_check_interval=10, retry=retry, retry_on_error=list(AWAY),
        )  # fmt: skip
        return Redis(connection_pool=pool)
    parts = urlsplit(url)
    cluster = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in servers(url)], username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None, ssl=parts.scheme.startswith("rediss"), max_connections=CONNECTIONS_OF_A_NODE,
        socket_timeout=timeout_s, socket_connect_timeout=timeout_s, health_check_interval=10, retry=retry,
    )  # fmt: skip
    return cast(Redis, cluster)  # the same commands, though the types are not related


def is_cluster(url: str) -> bool:
    return urlsplit(url).scheme in {"redis" + CLUSTER, "rediss" + CLUSTER}


def servers(url: str) -> list[tuple[str, int]]:
    """Hosts and ports that an address names; Redis's own port where it names none."""
    found = []
    for place in urlsplit(url).netloc.rpartition("@")[2].split(","):
        alone = urlsplit(f"//{place}")
        found.append((alone.hostname or "127.0.0.1", alone.port or PORT))
    return found


async def runs(redis: Redis) -> dict[str, str]:
    """Of every server a hash tag that it has the keys of, and the id of its run: whoever keeps these ids under the tags sees that a
    server was emptied, or that another run holds what it held, which may lack the last writes: a copy that took over, or
    one that began again from an older snapshot.

    Raises one of FAULTS if a server does not answer.
    """
    if not isinstance(redis, RedisCluster):
        return {"0": (await redis.info("server"))["run_id"]}
    if not redis.get_primaries():
        await redis.initialize()
    found: dict[str, tuple[str, ClusterNode]] = {}
    for tag in map(str, range(TRIES)):
        node = redis.get_node_from_key(tag)
        found.setdefault(node.name, (tag, node))
        if len(found) == len(redis.get_primaries()):
            break
    return {tag: (await redis.info("server", target_nodes=node))["run_id"] for tag, node in found.values()}


async def answers(redis: Redis) -> str | None:
    """For health checks: None if it answers, else what is wrong. A cluster answers only if it serves all slots."""
    if not isinstance(redis, RedisCluster):
        await redis.ping()
        return None
    told = await redis.execute_command("CLUSTER INFO", target_nodes=RedisCluster.RANDOM)
    state = told.get("cluster_state") if isinstance(told, dict) else None
    return None if state == "ok" else f"cluster_state {state}"
