"""The sample consumer keeps what CONTRIBUTING.md says of any consumer: once each, go on after a restart, bad ones aside."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from aiokafka import TopicPartition

from deploy.local import ports
from examples.dong_digest import Settings, build
from shared.contracts import Alert
from shared.contracts.alert import ALERTS
from shared.contracts.dead_letter import DEAD_LETTERS
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of, kafka_headers, text_headers
from shared.settings import PlatformSettings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.processes import Nursery
from tests.samples import NOW, alert, posting
from tests.stacks import Addresses
from tests.tap import tapping
from tests.waiting import until

pytestmark = pytest.mark.integration


class Board:
    """One citizen's alerts on one partition, so that whatever is sent last is read last."""

    def __init__(self, http: httpx.AsyncClient, settings: PlatformSettings, citizen_id: str) -> None:
        self.http, self._settings, self.citizen_id = http, settings, citizen_id

    def alerts(self, count: int, dong: str | None) -> list[Alert]:
        return [alert(self.citizen_id, posting(), dong=dong) for _ in range(count)]

    async def send(self, alerts: Iterable[Alert], *, times: int = 1, body: bytes | None = None) -> None:
        producer = kafka.producer(self._settings.kafka_url)
        async with producer:
            for one in list(alerts) * times:
                headers = headers_of(one, event_id=one.id, source="/tests", time=NOW)
                await producer.send_and_wait(
                    ALERTS.name, body or body_of(one), key=one.topic_key().encode(), headers=kafka_headers(headers)
                )

    async def counts(self) -> Mapping[str, int | None]:
        answer = await self.http.get("/counts")
        assert answer.status_code == 200, answer.text
        return {f"{row['dong']}/{row['kind']}": row["alerts"] for row in answer.json()["counts"]}

    async def read_all(self) -> Mapping[str, int | None]:
        """The counts once everything sent so far has been read: a last alert of its own 동 says so."""
        mark = f"끝-{uuid4().hex}"
        await self.send(self.alerts(1, mark))

        async def marked() -> Mapping[str, int | None] | None:
            counts = await self.counts()
            return counts if f"{mark}/job" in counts else None

        return await until(marked, 30)


@asynccontextmanager
async def running(settings: Settings, group: str) -> AsyncIterator[Board]:
    """The consumer in this process, from start to clean stop. Its hour is that of the samples."""
    app = build(settings, group=group, clock=lambda: NOW + timedelta(minutes=5))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://board") as http,
    ):
        yield Board(http, settings, f"citizen:{group}")


async def rewind(kafka_url: str, group: str) -> None:
    """As if the group had never committed an offset."""
    partitions = [TopicPartition(ALERTS.name, partition) for partition in range(ALERTS.partitions)]
    consumer = kafka.consumer(kafka_url, group=group)
    consumer.assign(partitions)
    async with consumer:
        await consumer.commit(dict.fromkeys(partitions, 0))


@pytest.fixture
def group() -> str:
    return f"board-{uuid4().hex}"


@pytest.fixture
def settings(settings_for: SettingsFor, databases: Databases) -> Settings:
    made: Settings = settings_for(
        Settings, database_prefix=f"{databases.prefix}{uuid4().hex[:6]}_", retry_backoff_s=0.01
    )
    return made


async def test_each_alert_counts_once_though_delivered_twice(settings: Settings, group: str) -> None:
    dong = f"수완동-{group}"
    async with running(settings, group) as board:
        six = board.alerts(6, dong)
        await board.send(six, times=2)
        await board.send(six)
        assert (await board.read_all())[f"{dong}/job"] == 6


async def test_a_restart_goes_on_where_it_was(settings: Settings, group: str) -> None:
    dong = f"수완동-{group}"
    async with running(settings, group) as board:
        before = board.alerts(5, dong)
        await board.send(before)
        assert (await board.read_all())[f"{dong}/job"] == 5
    await board.send([*board.alerts(2, dong), *before])
    async with running(settings, group) as board:
        assert (await board.read_all())[f"{dong}/job"] == 7


async def test_a_replay_from_the_beginning_counts_nothing_twice(settings: Settings, group: str) -> None:
    dong = f"수완동-{group}"
    async with running(settings, group) as board:
        six = board.alerts(6, dong)
        await board.send(six)
        await board.read_all()
    await rewind(settings.kafka_url, group)
    async with running(settings, group) as board:
        assert (await board.read_all())[f"{dong}/job"] == 6


async def test_a_bad_record_goes_to_the_dead_letters_and_the_rest_is_counted(settings: Settings, group: str) -> None:
    dong = f"첨단1동-{group}"
    async with tapping(settings.kafka_url, DEAD_LETTERS.name) as letters, running(settings, group) as board:
        await board.send(board.alerts(3, dong))
        await board.send(board.alerts(1, dong), body=b'{"id": "not an alert"}')
        await board.send(board.alerts(3, dong))
        assert (await board.read_all())[f"{dong}/job"] == 6
        await letters.wait_for(lambda found: any(text_headers(r).get("dl_group") == group for r in found))
        told = [text_headers(r) for r in letters.records if text_headers(r).get("dl_group") == group]
    assert [(t["dl_topic"], t["dl_error"]) for t in told] == [(ALERTS.name, "BadRecordError")]


async def test_small_counts_are_shown_neither_as_json_nor_on_the_page(settings: Settings, group: str) -> None:
    few, enough = f"<동>-{group}", f"하남동-{group}"
    async with running(settings, group) as board:
        await board.send([*board.alerts(4, few), *board.alerts(5, enough), *board.alerts(5, None)])
        counts = await board.read_all()
        page = (await board.http.get("/")).text
    assert (counts[f"{few}/job"], counts[f"{enough}/job"]) == (None, 5)
    assert f"&lt;동&gt;-{group}</th><td>일자리</td><td>5건 미만</td>" in page
    assert f"{enough}</th><td>일자리</td><td>5</td>" in page
    assert "<td>4</td>" not in page
    assert "여러 동" in page


async def test_it_runs_as_a_process_and_stops_when_told(
    stack: Addresses, databases: Databases, children: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = ports.pick(None, ())
    told = {
        "KAFKA_URL": stack.kafka_url, "POSTGRES_URL": stack.postgres_url, "DATABASE_PREFIX": databases.prefix,
        "PORT": str(port),
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(f"GWANGSAN_{name}", value)
    child = children.start("examples.dong_digest")

    async def ready() -> bool:
        assert child.alive, child.said()
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    await until(ready, 90, what="readyz")
    # The server ends as the signal asks once everything has been stopped, so the code is the signal's.
    assert child.terminate() in (0, -signal.SIGTERM), child.said()
    assert '"event": "stopped"' in child.said()
