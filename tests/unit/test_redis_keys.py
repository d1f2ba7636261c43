"""No command names keys that a Redis Cluster may hold on two servers: each names one, a script too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.crc import key_slot

from deploy.local.home import ROOT
from services.matching.index import store
from shared.redis import is_cluster, servers

FIRST_ARGUMENT = {
    "expire", "get", "hdel", "hgetall", "hkeys", "hset", "incr", "sadd", "set", "smembers", "srem", "type", "zrange",
}  # fmt: skip
ALL_ARGUMENTS = {"delete", "exists"}
NONE = {
    "aclose",
    "execute",
    "initialize",
    "get_primaries",
    "get_node_from_key",
    "info",
    "ping",
    "pipeline",
    "scan_iter",
}
# Whole commands, of which one is of a key that was scanned and one of no key.
RAW = {("execute_command", "services/matching/audit/places.py"), ("execute_command", "shared/redis.py")}


class Use(NamedTuple):
    """A call of a client's or pipeline's method."""

    path: str
    line: int
    method: str
    call: ast.Call


def uses(path: Path) -> Iterator[Use]:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                whose = ast.unparse(call.func.value).rpartition(".")[2]
                if whose in {"redis", "_redis", "pipe"}:
                    yield Use(str(path.relative_to(ROOT)), call.lineno, call.func.attr, call)


FILES = [path for top in ("services", "shared") for path in sorted((ROOT / top).rglob("*.py"))]
USES = [use for path in FILES if "redis" in (text := path.read_text()) or "pipe" in text for use in uses(path)]


def names_one_key(use: Use) -> bool:
    given = use.call.args
    if use.method in ALL_ARGUMENTS:
        return len(given) == 1 and not isinstance(given[0], ast.Starred)
    if use.method == "eval":
        return isinstance(given[1], ast.Constant) and given[1].value == 1
    known = use.method in FIRST_ARGUMENT | NONE or (use.method, use.path) in RAW
    return known and not (given and isinstance(given[0], ast.Starred) and use.method != "execute_command")


def test_every_command_names_one_key() -> None:
    assert len(USES) > 20
    assert [(use.path, use.line, use.method) for use in USES if not names_one_key(use)] == []


def test_no_pipeline_is_a_transaction() -> None:
    """What must be one is a script: the cluster's client begins a transaction on an event loop of its own, and fails."""
    begun = [use for use in USES if use.method == "pipeline"]
    plain = [use for use in begun if [ast.unparse(keyword) for keyword in use.call.keywords] == ["transaction=False"]]
    assert begun == plain
    assert len(begun) > 3


@pytest.mark.parametrize("partition", range(8))
def test_what_is_kept_of_one_partition_is_in_one_slot(partition: int) -> None:
    slots = {key_slot(store.slot_key(partition, slot).encode()) for slot in range(100)}
    assert len(slots) == 1


def test_partitions_and_cells_are_spread() -> None:
    assert len({key_slot(store.slot_key(partition, 1).encode()) for partition in range(8)}) == 8
    assert len({key_slot(store.cell_key(f"wy8{n:03d}").encode()) for n in range(100)}) > 90


@pytest.mark.parametrize(
    ("url", "cluster", "where"),
    [
        ("redis://:word@cache:6380/0", False, [("cache", 6380)]),
        ("redis+cluster://a,b:7001,[::1]:7002", True, [("a", 6379), ("b", 7001), ("::1", 7002)]),
        ("rediss+cluster://user:wo%40rd@a:1,b:2", True, [("a", 1), ("b", 2)]),
    ],
)
def test_an_address_names_one_server_or_a_cluster(url: str, cluster: bool, where: list[tuple[str, int]]) -> None:
    assert (is_cluster(url), servers(url)) == (cluster, where)
