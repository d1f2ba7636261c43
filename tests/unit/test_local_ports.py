"""A busy port: another one is taken, or its owner is named."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import plan, ports
from deploy.local.errors import LocalError
from deploy.local.home import Home
from deploy.local.processes import Task
from deploy.local.report import Quiet


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", ports.pick(None, ())))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_a_free_preferred_port_is_taken() -> None:
    port = ports.pick(None, ())
    assert ports.pick(port, ()) == port


def test_a_busy_preferred_port_is_replaced(busy_port: int) -> None:
    assert ports.pick(busy_port, ()) != busy_port


def test_a_port_already_planned_is_not_planned_twice() -> None:
    port = ports.pick(None, ())
    assert ports.pick(port, {port}) != port


def test_the_owner_of_a_port_is_named(busy_port: int) -> None:
    assert f"(pid {os.getpid()})" in ports.owner_of(busy_port)


def test_a_busy_port_that_was_asked_for_is_refused_with_its_owner(busy_port: int, tmp_path: Path) -> None:
    given = {"GWANGSAN_GATEWAY_PORT": str(busy_port)}
    with pytest.raises(LocalError, match=rf"Port {busy_port} is taken by .*pid {os.getpid()}"):
        plan.make(Home(tmp_path), Quiet(), services=True, fixed_ports=True, given=given)


def test_a_part_given_by_url_is_used_in_place_of_the_embedded_one(tmp_path: Path) -> None:
    given = {"GWANGSAN_KAFKA_URL": "127.0.0.1:9", "GWANGSAN_REDIS_URL": "redis://:secret@127.0.0.1:9/0"}
    made = plan.make(Home(tmp_path), Quiet(), services=False, fixed_ports=True, given=given)
    assert made.external == ["kafka", "redis"]
    assert made.env["GWANGSAN_KAFKA_URL"] == "127.0.0.1:9"
    redis = next(step for step in made.steps if step.name == "redis")
    assert isinstance(redis, Task)
    with pytest.raises(
        LocalError, match=r"GWANGSAN_REDIS_URL points to 127\.0\.0\.1:9/0, which does not answer"
    ) as told:
        redis.run()
    assert "secret" not in "".join(told.value.lines())


def test_production_refuses_the_embedded_issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWANGSAN_ENVIRONMENT", "production")
    with pytest.raises(LocalError, match="development issuer is refused"):
        plan.make(Home(tmp_path), Quiet(), services=True, fixed_ports=False)
