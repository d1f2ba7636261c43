"""Whole record batches: what is read as such, what is left to aiokafka, and what is refused."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine.names import Names
from shared.messaging.record_batches import ZSTD, ReadyBatch, next_offset, opened, packed, plain_batches, unpacked

WHERE = TopicPartition("locations.v1", 2)


def built(base: int, bodies: list[bytes], codec: int = 0, transactional: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, transactional, 1, 0, 0, 1 << 20)
    for nth, body in enumerate(bodies):
        builder.append(nth, 1_000, b"k", body, [("h", b"v")])
    whole = bytearray(builder.build())
    whole[:8] = base.to_bytes(8, "big")
    return bytes(whole)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_batches_of_every_codec_are_read_from_a_position_on(codec: int) -> None:
    raw = built(10, [b"a", b"b", b"c"], codec) + built(13, [b"d", b"e"], codec)
    first, second = plain_batches(raw, WHERE, 11) or []
    assert [(r.offset, r.value, r.headers) for r in opened([first, second])] == [
        (11 + nth, body, (("h", b"v"),)) for nth, body in enumerate([b"b", b"c", b"d", b"e"])
    ]
    assert first.records()
    assert (next_offset(first), next_offset(second)) == (13, 15)
    assert [batch.base_offset for batch in plain_batches(raw, WHERE, 13) or []] == [13]


def test_a_batch_that_the_broker_cut_off_is_left_for_the_next_fetch() -> None:
    whole, cut = built(0, [b"a"]), built(1, [b"b"])[:-1]
    assert [batch.base_offset for batch in plain_batches(whole + cut, WHERE, 0) or []] == [0]


def test_transactions_are_left_to_aiokafka() -> None:
    assert plain_batches(built(0, [b"a"]) + built(1, [b"b"], transactional=1), WHERE, 0) is None


def test_a_batch_that_is_not_as_it_was_written_is_refused() -> None:
    whole = bytearray(built(0, [b"abc"]))
    whole[-5] ^= 1
    (batch,) = plain_batches(bytes(whole), WHERE, 0) or []
    with pytest.raises(CorruptRecordException):
        batch.records()


def test_what_is_packed_is_unpacked_and_neither_way_remembers_the_one_before() -> None:
    sections = [b"a" * 70, b"", bytes(range(256)) * 300, b"a" * 70]
    assert [unpacked(packed(section)) for section in sections] == sections
    assert packed(sections[0]) == packed(sections[3])


@pytest.mark.parametrize(
    ("cut", "said"), [(slice(0, -1), "cut off"), (slice(0, 0), "cut off"), (slice(1, None), "zstd: ")]
)
def test_a_section_that_is_not_one_whole_frame_is_refused_and_the_next_one_is_read(cut: slice, said: str) -> None:
    whole = packed(b"abc" * 40)
    with pytest.raises(CorruptRecordException, match=said):
        unpacked(whole[cut])
    assert unpacked(whole) == b"abc" * 40


def test_a_ready_batch_says_who_produced_it() -> None:
    (batch,) = plain_batches(built(0, [b"abc"], ZSTD), WHERE, 0) or []
    ready = ReadyBatch(batch.whole[61:], 1, 1_000, ZSTD)
    read = DefaultRecordBatch(ready.whole(7, 3, 11))
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (7, 3, 11)
    assert [record.value for record in read] == [b"abc"]


letters = st.characters(exclude_categories=["Cs"])


@settings(deadline=None)  # the first example compiles
@given(names=st.lists(st.text(letters, min_size=1, max_size=40), unique=True, max_size=60))
def test_every_name_has_a_row_of_its_own_whatever_it_is_made_of(names: list[str]) -> None:
    held = Names()
    rows = [held.add(name) for name in names]
    assert rows == list(range(len(names))) == [held.row(name) for name in names]
    assert [held[row] for row in rows] == names
    assert held.row("nobody" * 10) == -1
