"""`./dev dead-letters`: list, show, replay, drop, as a person runs them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.contracts import Fix
from shared.messaging import dead_letters
from shared.messaging.envelope import BadRecordError
from shared.settings import PlatformSettings
from tests.conftest import SettingsFor
from tests.integration.groups import fresh_topic
from tests.samples import NOW
from tests.stacks import Addresses
from tests.tap import tapping

pytestmark = pytest.mark.integration
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Failed:
    """A record that a group could not handle."""

    def __init__(self, topic: str, value: bytes) -> None:
        self.topic, self.partition, self.offset, self.key, self.value = topic, 0, 7, b"citizen:x", value
        self.headers = [("ce_type", b"kr.gwangsan.posting.v1")]


@pytest.fixture
def run(stack: Addresses) -> Run:
    def cli(*arguments: str, kafka_url: str = stack.kafka_url) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shared.messaging.dead_letters_cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "GWANGSAN_KAFKA_URL": kafka_url, "COLUMNS": "240"},
        )

    return cli


@pytest_asyncio.fixture
async def group(stack: Addresses, settings_for: SettingsFor) -> AsyncIterator[str]:
    """Two dead letters of a new group: a posting, and a fix at a secret place."""
    settings: PlatformSettings = settings_for(PlatformSettings)
    name, topic = f"g-{uuid4().hex[:12]}", await fresh_topic(stack.kafka_url)
    producer = dead_letters.producer(settings.kafka_url, client_id="tests")
    await producer.start()
    for record in (Failed(topic, "점심 배식".encode()), Failed(Fix.TOPIC, b'{"lat": 35.15}')):
        error = BadRecordError("against its contract")
        await dead_letters.send(producer, record, group=name, error=error, attempts=1, now=NOW)
    await producer.stop()
    yield name
    assert [letter async for letter in dead_letters.read_all(settings.kafka_url) if letter.group == name] == []


async def test_list_show_replay_and_drop(stack: Addresses, run: Run, group: str) -> None:
    listed = await asyncio.to_thread(run, "list", "--group", group, "--json")
    one, two = json.loads(listed.stdout)
    assert (one["value"], one["reason"], one["key"]) == ("점심 배식", "against its contract", "citizen:x")
    assert (two["value"], two["key"], two["private"]) == (None, None, True)
    table = await asyncio.to_thread(run, "list", "--group", group)
    assert one["id"] in table.stdout
    shown = await asyncio.to_thread(run, "show", one["id"])
    assert "점심 배식" in shown.stdout
    hidden = await asyncio.to_thread(run, "show", two["id"])
    assert "No body" in hidden.stdout
    assert "35.15" not in hidden.stdout + listed.stdout
    async with tapping(stack.kafka_url, one["topic"]) as tap:
        replayed = await asyncio.to_thread(run, "replay", "--all", "--group", group)
        await tap.wait_for(lambda records: len(records) == 1)
    assert f"replayed: {one['id']}" in replayed.stdout
    assert f"Not replayable: {two['id']}" in replayed.stderr
    assert replayed.returncode == 1
    assert dict(tap.records[0].headers)["dl_replay_for"] == group.encode()
    assert tap.records[0].value == "점심 배식".encode()
    assert tap.records[0].key != b"citizen:x", "on a compacted topic it must not replace what is newer"
    dropped = await asyncio.to_thread(run, "drop", two["id"])
    assert f"dropped: {two['id']}" in dropped.stdout
    empty = await asyncio.to_thread(run, "list", "--group", group)
    assert "No dead letters." in empty.stdout


async def test_mistakes_are_told_in_one_line(run: Run) -> None:
    unknown = await asyncio.to_thread(run, "show", "no/such/0/1")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert "No such dead letter" in unknown.stderr
    nothing = await asyncio.to_thread(run, "drop")
    assert nothing.returncode == 2
    assert "Name ids, or say --all." in nothing.stderr
    away = await asyncio.to_thread(run, "list", kafka_url="127.0.0.1:9")
    assert away.returncode == 1
    assert "Kafka at 127.0.0.1:9 does not answer" in away.stderr
    helped = await asyncio.to_thread(run, "--help")
    assert "처리하지 못한 사건" in helped.stdout
