"""The consumer boundary on real Kafka and PostgreSQL: each effect once, bad records aside, the truth about health."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.contracts import Fix
from shared.database import Database
from shared.messaging import dead_letters
from shared.messaging.dead_letters import NotReplayable
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from tests.databases import Databases
from tests.integration.groups import POISON, Group, fresh_topic, running
from tests.processes import Nursery
from tests.samples import NOW, fix, posting
from tests.waiting import until

pytestmark = pytest.mark.integration


async def waits_for_a_lock(group: Group) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with group.database.transaction() as tx:
        return bool((await tx.execute(waiting)).scalar())


async def test_a_consumer_killed_in_the_middle_of_a_batch_leaves_each_effect_exactly_once(
    group: Group, children: Nursery
) -> None:
    events = [posting() for _ in range(30)]
    await group.publish(*events)
    arguments = (group.settings.kafka_url, group.database.url, group.topic, group.name)
    async with group.database.transaction() as held:
        await held.execute(text("LOCK TABLE effect IN SHARE MODE"))
        killed = children.start("tests.integration.consumer_process", *arguments)
        await until(lambda: waits_for_a_lock(group), 20)
        killed.kill()
    assert await group.effects() == []
    for enough in (60,):
        more = [posting() for _ in range(60)]
        events += more
        child = children.start("tests.integration.consumer_process", *arguments)
        await group.publish(*more)

        async def some_done(wanted: int = enough) -> bool:
            return len(await group.effects()) >= wanted - 20

        await until(some_done, 40)
        child.kill()
    child = children.start("tests.integration.consumer_process", *arguments)
    await until(lambda: group.did(events), 40)
    assert child.terminate() == -15 or not child.alive
    assert await group.once_each(events)


async def test_an_event_sent_twice_takes_effect_once(group: Group) -> None:
    event = posting()
    headers = kafka_headers(headers_of(event, event_id=uuid4(), source="tests", time=NOW))
    record = (b"k", body_of(event), headers)
    await group.publish_raw(record, record)
    async with running(group.consumer()):
        await until(lambda: group.did([event]))
        await group.publish_raw(record)
        after = posting()
        await group.publish(after)
        await until(lambda: group.did([after]))
    assert await group.once_each([event, after])


async def test_a_poison_record_goes_aside_with_its_reason_and_the_others_take_effect_once(group: Group) -> None:
    good = [posting() for _ in range(8)]
    bad = posting(headline=POISON)
    await group.publish(*good[:4], bad, *good[4:])
    async with running(group.consumer()) as consumer:
        await until(lambda: group.did(good))
        (letter,) = await until(lambda: group.letters_are(1))
        assert letter.id == f"{group.name}/{group.topic}/0/4"
        assert (letter.error, letter.reason, letter.attempts) == ("ValueError", "this headline cannot be handled", 2)
        assert letter.value == body_of(bad)
        assert consumer.progress.problem() is None
    assert await group.once_each(good)
    assert await group.committed() == 9


async def test_a_replayed_dead_letter_takes_effect_once_and_is_gone(group: Group) -> None:
    bad = posting(headline=POISON)
    await group.publish(bad)
    async with running(group.consumer()):
        (letter,) = await until(lambda: group.letters_are(1))
    mended = body_of(bad).replace(POISON.encode(), "약".encode())
    letter = dead_letters.DeadLetter(**{**letter.__dict__, "value": mended})
    producer = dead_letters.producer(group.settings.kafka_url, client_id="tests")
    await producer.start()
    try:
        await dead_letters.replay(producer, letter)
    finally:
        await producer.stop()
    other = Group(group.settings, group.database, group.topic)
    async with running(group.consumer()):
        await until(lambda: group.did([bad]))
    async with running(other.consumer()):
        (only,) = await until(lambda: other.letters_are(1))
        assert only.offset == 0, "a replay is for the group that gave it up"
    assert await group.letters() == []
    assert await group.once_each([bad])


async def test_a_dropped_dead_letter_is_gone_and_has_no_effect(group: Group) -> None:
    await group.publish(posting(headline=POISON))
    async with running(group.consumer()):
        (letter,) = await until(lambda: group.letters_are(1))
    producer = dead_letters.producer(group.settings.kafka_url, client_id="tests")
    await producer.start()
    await dead_letters.drop(producer, letter)
    await producer.stop()
    assert await group.letters() == []
    assert await group.effects() == []


async def test_what_is_no_event_goes_aside_at_once_with_the_rule_it_breaks(group: Group) -> None:
    good = posting()
    headers = headers_of(good, event_id=uuid4(), source="tests", time=NOW)
    without = kafka_headers({name: value for name, value in headers.items() if name != "ce_type"})
    await group.publish_raw(
        (b"\xff\xfe", b"\xff\x00 not json", kafka_headers(headers)),
        (b"k", body_of(good), without),
        (b"k", body_of(good), kafka_headers({**headers, "ce_type": "kr.gwangsan.nothing.v9"})),
        (b"k", b'{"id": 7}', kafka_headers(headers)),
        (b"k", body_of(good), kafka_headers({**headers, "ce_id": "seven"})),
        (b"k", body_of(good), kafka_headers({**headers, "ce_specversion": "0.3"})),
        (b"k", None, kafka_headers(headers)),
        (None, body_of(good), []),
        (b"k", body_of(good), [("ce_id", None)]),
    )
    await group.publish(good)
    async with running(group.consumer()):
        letters = await until(lambda: group.letters_are(9), 20)
        await until(lambda: group.did([good]))
    reasons = [letter.reason for letter in letters]
    assert reasons[0].startswith("against its contract: : Invalid JSON")
    assert reasons[1] == "not a CloudEvent: missing header ce_type"
    assert reasons[2] == "unknown event type 'kr.gwangsan.nothing.v9'"
    assert "kind: Field required" in reasons[3]
    assert reasons[4].startswith("bad CloudEvents attribute")
    assert reasons[5] == "CloudEvents version '0.3' is not 1.x"
    assert reasons[6] == "no payload"
    assert reasons[7].startswith("not a CloudEvent: missing header ce_specversion")
    assert letters[0].key == b"\xff\xfe"
    assert letters[0].value == b"\xff\x00 not json"
    assert letters[7].key is None
    assert all(letter.attempts == 1 for letter in letters)


async def test_the_largest_record_that_a_topic_takes_fits_into_the_dead_letters(group: Group) -> None:
    headers = kafka_headers(headers_of(posting(), event_id=uuid4(), source="tests", time=NOW))
    await group.publish_raw((b"k", b"[" * 990_000, headers))
    async with running(group.consumer()):
        (letter,) = await until(lambda: group.letters_are(1), 20)
    assert letter.value == b"[" * 990_000


async def test_the_dead_letter_of_a_fix_keeps_no_position(group: Group) -> None:
    fixes = Group(group.settings, group.database, Fix.TOPIC)
    broken = body_of(fix()).replace(b'"accuracy_m":12.5', b'"accuracy_m":-1')
    headers = kafka_headers(headers_of(fix(), event_id=uuid4(), source="tests", time=NOW))
    await fixes.begins_now()
    await fixes.publish(fix())
    await fixes.publish_raw((b"citizen:x", broken, headers))
    async with running(fixes.consumer()):

        async def both() -> list[dead_letters.DeadLetter]:
            found = await fixes.letters()
            return found if {letter.error for letter in found} == {"ValueError", "BadRecordError"} else []

        letters = await until(both, 20)
    for letter in letters:
        assert (letter.key, letter.value) == (None, None)
        assert "35.1" not in repr(letter)
        assert "하늘" not in repr(letter)
        with pytest.raises(NotReplayable):
            await dead_letters.replay(None, letter)


async def test_more_dead_letters_than_allowed_halt_the_consumer_before_the_offsets_pass(group: Group) -> None:
    strict = group.settings.model_copy(update={"dead_letters_in_a_row": 3})
    halting = Group(strict, group.database, group.topic, group.name)
    first = posting()
    await group.publish(first, *(posting(headline=POISON) for _ in range(10)))
    async with running(halting.consumer()) as consumer:
        await until(lambda: "halted" in (consumer.progress.problem() or ""), 20)
        assert "more than 3 dead letters in a row" in (consumer.progress.problem() or "")
        assert len(await group.letters()) == 3
        assert await group.committed() == 4
    async with running(group.consumer()):
        assert len(await until(lambda: group.letters_are(10), 20)) == 10
    assert await group.once_each([first])


async def test_the_limit_per_minute_halts_too(group: Group) -> None:
    strict = group.settings.model_copy(update={"dead_letters_per_minute": 2})
    mixed = [posting(headline=POISON if number % 2 else "좋은 일") for number in range(10)]
    await group.publish(*mixed)
    async with running(Group(strict, group.database, group.topic, group.name).consumer()) as consumer:
        await until(lambda: "more than 2 dead letters a minute" in (consumer.progress.problem() or ""), 20)
    assert len(await group.letters()) == 2


async def test_stopping_while_a_record_is_tried_again_gives_nothing_up(group: Group) -> None:
    slow = group.settings.model_copy(update={"retry_attempts": 5, "retry_backoff_s": 60.0})
    await group.publish(posting(headline=POISON))
    async with running(Group(slow, group.database, group.topic, group.name).consumer()):
        await until(lambda: _tried(group))
    assert await group.letters() == []
    assert await group.committed() == 0


async def _tried(group: Group) -> bool:
    """A rolled-back try leaves its number drawn from the sequence."""
    async with group.database.transaction() as tx:
        row = (await tx.execute(text("SELECT last_value, is_called FROM effect_nth_seq"))).one()
        return bool(row.is_called and row.last_value > len(await group.effects()) + 1)


async def test_a_graceful_stop_commits_what_took_effect(group: Group) -> None:
    events = [posting() for _ in range(50)]
    await group.publish(*events)
    async with running(group.consumer(max_records=7)):
        await until(lambda: group.did(events))
    assert await group.committed() == 50
    assert await group.once_each(events)


async def test_a_member_that_joins_under_load_disturbs_nothing(databases: Databases, group: Group) -> None:
    topic = await fresh_topic(group.settings.kafka_url, partitions=4)
    shared = Group(group.settings, group.database, topic)
    one = [posting(version=n) for n in range(1, 301)]
    other_database = Database(await databases.platform())
    async with running(shared.consumer(max_records=10)):
        await shared.publish(*one)
        await until(lambda: shared.did(one[:20]), 20)
        second = Group(group.settings, other_database, topic, shared.name)
        async with running(second.consumer(max_records=10)) as joined:
            two = [posting(version=n) for n in range(1, 301)]
            await shared.publish(*two)
            await until(lambda: joined.progress.problem() is None, 20)
            await until(lambda: shared.did(one + two), 40)
        three = [posting() for _ in range(20)]
        await shared.publish(*three)
        await until(lambda: shared.did(three), 40)
    await other_database.close()
    assert await shared.once_each(one + two + three)
    assert await shared.letters() == []
