"""The outbox on real Kafka and PostgreSQL: nothing lost, order kept per aggregate, whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.contracts import Posting
from shared.contracts.base import Topic
from shared.contracts.posting import POSTINGS
from shared.database import Database
from shared.messaging import kafka, topics
from tests.databases import Databases
from tests.integration.conftest import PrivatePart
from tests.integration.outboxes import Board, expect_all_in_order, relaying, versions_of
from tests.processes import Nursery, Running
from tests.samples import posting
from tests.stacks import Addresses
from tests.tap import event_id, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def board(databases: Databases) -> AsyncIterator[Board]:
    database = Database(await databases.platform(), pool_size=10)
    made = Board(database)
    await made.prepare()
    yield made
    async with database.transaction() as tx:
        await tx.execute(text("TRUNCATE outbox"))
    await database.close()


def start_relay(children: Nursery, board: Board, stack: Addresses, name: str, *, frozen_after_s: float = 60) -> Running:
    dsn = board.database.url
    return children.start("tests.integration.relay_process", dsn, stack.kafka_url, name, str(frozen_after_s))


async def leader(board: Board) -> str | None:
    """The name of the relay that holds the lock."""
    held = text(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
    )
    async with board.database.transaction() as tx:
        return (await tx.execute(held)).scalar()


async def test_a_relay_killed_between_produce_and_delete_loses_nothing_and_repeats_only_whole_events(
    stack: Addresses, board: Board, children: Nursery
) -> None:
    keys = await board.open(5)
    for id_ in board.ids * 4:
        await board.change(id_)
    async with tapping(stack.kafka_url, POSTINGS.name) as tap:
        async with board.database.transaction() as held:
            await held.execute(text("LOCK TABLE outbox IN SHARE MODE"))  # SELECT passes, DELETE waits
            killed = start_relay(children, board, stack, "killed")
            await tap.wait_for(lambda _: len(tap.among(keys)) == 20)
            killed.kill()
        assert await board.waiting() == 20
        start_relay(children, board, stack, "next")
        await until(board.empty, 20)
        await tap.wait_for(lambda _: len(tap.among(keys)) >= 40)
        await expect_all_in_order(board, tap)
        bodies: dict[str, set[bytes]] = {}
        for record in tap.among(keys):
            bodies.setdefault(event_id(record), set()).add(record.value)
        assert len(bodies) == 20
        assert all(len(same) == 1 for same in bodies.values())


async def test_of_two_relays_one_leads_and_the_other_takes_over_when_it_dies(
    stack: Addresses, board: Board, children: Nursery
) -> None:
    both = {f"{name}-relay": start_relay(children, board, stack, name) for name in ("one", "two")}
    first = await until(lambda: leader(board), 20)
    await board.open(4)
    async with tapping(stack.kafka_url, POSTINGS.name) as tap:
        for id_ in board.ids * 3:
            await board.change(id_)
        both[first].kill()
        for id_ in board.ids * 3:
            await board.change(id_)
        await until(board.empty, 20)
        assert await leader(board) == next(name for name in both if name != first)
        await tap.wait_for(lambda _: all(len(versions_of(tap, str(id_))) == 6 for id_ in board.ids))
        await expect_all_in_order(board, tap)


async def test_a_frozen_leader_is_replaced_and_does_no_harm_when_it_thaws(
    stack: Addresses, board: Board, children: Nursery
) -> None:
    frozen = start_relay(children, board, stack, "frozen", frozen_after_s=1.5)
    assert await until(lambda: leader(board), 20) == "frozen-relay"
    await board.open(3)
    async with tapping(stack.kafka_url, POSTINGS.name) as tap:
        for id_ in board.ids:
            await board.change(id_)
        frozen.send(signal.SIGSTOP)
        start_relay(children, board, stack, "fresh")
        for id_ in board.ids * 2:
            await board.change(id_)
        await until(board.empty, 20)
        assert await leader(board) == "fresh-relay"
        frozen.send(signal.SIGCONT)
        await until(
            lambda: "relay_fault" in frozen.said() or None, 40, what="the thawed relay sees that it lost the lead"
        )
        for id_ in board.ids:
            await board.change(id_)
        await until(board.empty, 20)
        await tap.wait_for(lambda _: all(len(versions_of(tap, str(id_))) == 4 for id_ in board.ids))
        await expect_all_in_order(board, tap)
        assert frozen.alive


async def test_what_a_relay_that_lost_the_lead_has_in_flight_never_lands(stack: Addresses, board: Board) -> None:
    (key,) = await board.open(1)
    name = f"outbox-{board.database.engine.url.database}"
    stale = kafka.producer(stack.kafka_url, transactional_id=name)
    await stale.start()
    async with tapping(stack.kafka_url, POSTINGS.name) as tap:
        await stale.begin_transaction()
        await stale.send_and_wait(POSTINGS.name, b"stale", key=key.encode())
        for _ in range(3):
            await board.change(board.ids[0])
        async with relaying(board.database, stack.kafka_url):
            await until(board.empty, 20)
        with pytest.raises((KafkaError, AssertionError)):
            await asyncio.wait_for(stale.commit_transaction(), 10)
        await board.change(board.ids[0])
        async with relaying(board.database, stack.kafka_url):
            await until(board.empty, 20)
        await tap.wait_for(lambda _: len(tap.of(key)) == 4)
        await expect_all_in_order(board, tap)
    with contextlib.suppress(KafkaError, AssertionError, TimeoutError):
        await asyncio.wait_for(stale.stop(), 5)


async def insert(board: Board, topic: str, key: str, payload: bytes) -> None:
    statement = text("INSERT INTO outbox (aggregate_id, topic, key, payload, headers) VALUES (:k, :t, :k, :p, '{}')")
    async with board.database.transaction() as tx:
        await tx.execute(statement, {"k": key, "t": topic, "p": payload})


async def test_an_event_too_large_to_send_holds_up_only_its_own_aggregate(stack: Addresses, board: Board) -> None:
    stuck, *others = await board.open(4)
    await board.change(board.ids[0])
    await insert(board, POSTINGS.name, stuck, bytes(1_500_000))
    for id_ in board.ids * 2:
        await board.change(id_)
    async with tapping(stack.kafka_url, POSTINGS.name) as tap, relaying(board.database, stack.kafka_url) as relay:
        await tap.wait_for(lambda _: all(len(versions_of(tap, key)) == 2 for key in others))
        await until(lambda: _count(board, 3))
        assert versions_of(tap, stuck) == [1]
        for id_ in board.ids[1:]:
            await board.change(id_)
        await tap.wait_for(lambda _: all(versions_of(tap, key) == [1, 2, 3] for key in others))
        assert relay.leading
        async with board.database.transaction() as tx:
            await tx.execute(text("DELETE FROM outbox WHERE length(payload) > 1000000"))
        await until(board.empty, 15)
        await tap.wait_for(lambda _: versions_of(tap, stuck) == [1, 2, 3])


async def _count(board: Board, wanted: int) -> bool:
    return await board.waiting() == wanted


@pytest_asyncio.fixture
async def small_topic(stack: Addresses) -> str:
    """A topic that takes no batch over 2,000 bytes, which the producer does not know."""
    topic = Topic(f"small-{uuid4().hex}", 1, "anything", ("tests",), ("tests",), extra={"max.message.bytes": "2000"})
    assert await topics.ensure(stack.kafka_url, topics=[topic]) == []
    return topic.name


async def test_an_event_that_only_the_broker_refuses_holds_up_only_its_own_aggregate(
    stack: Addresses, board: Board, small_topic: str
) -> None:
    for number in range(40):
        await insert(board, small_topic, f"fits-{number}", b"{}")
    await insert(board, small_topic, "refused", random.Random(7).randbytes(5_000))
    await insert(board, small_topic, "refused", b"{}")
    for number in range(40, 80):
        await insert(board, small_topic, f"fits-{number}", b"{}")
    async with tapping(stack.kafka_url, small_topic) as tap, relaying(board.database, stack.kafka_url):
        await tap.wait_for(lambda records: len({record.key for record in records}) == 80)
        await until(lambda: _count(board, 2))
        assert tap.of("refused") == []


@pytest.mark.timeout(120)
async def test_writes_go_on_while_kafka_is_down_and_all_arrives_in_order_after(
    board: Board, private_kafka: PrivatePart, outage_s: float
) -> None:
    await board.open(6)
    async with tapping(private_kafka.url, POSTINGS.name) as tap, relaying(board.database, private_kafka.url) as relay:
        for id_ in board.ids:
            await board.change(id_)
        await until(board.empty, 20)
        private_kafka.kill()
        ends = asyncio.get_running_loop().time() + outage_s

        async def outage_over() -> bool:
            await asyncio.gather(*(board.change(id_) for id_ in board.ids))
            return asyncio.get_running_loop().time() > ends

        await until(outage_over, outage_s + 30)
        assert await board.waiting() >= len(board.ids) * 2
        assert await until(lambda: relay.oldest_s > outage_s / 2, 20)
        await asyncio.to_thread(private_kafka.start)
        await until(board.empty, 60)
        wanted = await board.versions()
        await tap.wait_for(lambda _: all(len(versions_of(tap, key)) == n for key, n in wanted.items()), 60)
        await expect_all_in_order(board, tap)


CHANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.booleans()), min_size=1, max_size=25)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=CHANGES, writers=st.integers(1, 8))
async def test_any_interleaving_of_writers_arrives_in_order_per_aggregate(
    stack: Addresses, board: Board, changes: list[tuple[int, int, bool]], writers: int
) -> None:
    await board.open(3)
    at_once = asyncio.Semaphore(writers)

    async def write(which: int, times: int, give_up: bool) -> None:
        async with at_once:
            await board.change(board.ids[which], times=times, give_up=give_up)

    async with tapping(stack.kafka_url, POSTINGS.name) as tap, relaying(board.database, stack.kafka_url):
        await asyncio.gather(*(write(*change) for change in changes))
        await until(board.empty, 20)
        wanted = await board.versions()
        await tap.wait_for(lambda _: all(len(versions_of(tap, key)) >= n for key, n in wanted.items()))
        await expect_all_in_order(board, tap)
        assert len({event_id(r) for r in tap.among(wanted)}) == sum(wanted.values())


async def test_an_event_is_a_cloudevent_with_its_key_and_body(stack: Addresses, board: Board) -> None:
    (key,) = await board.open(1)
    async with tapping(stack.kafka_url, POSTINGS.name) as tap, relaying(board.database, stack.kafka_url):
        await board.change(board.ids[0])
        await tap.wait_for(lambda _: len(tap.of(key)) == 1)
    record: ConsumerRecord = tap.of(key)[0]
    headers = dict(record.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == Posting.TYPE.encode()
    assert headers["content-type"] == b"application/json"
    assert Posting.model_validate_json(record.value) == posting(board.ids[0], 1)
