"""What the engine reads of a fix, and the ids it gives alerts, are those of the contracts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import numpy as np
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.matching.alerts import assembly, digest
from services.matching.positions import canonical, wire
from services.matching.positions.wire import Decoded
from shared.contracts import Fix
from shared.contracts.alert import alert_id
from shared.messaging.envelope import body_of
from shared.messaging.partitions import partition_of
from shared.messaging.record_batches import ZSTD, RecordBatch, plain_batches
from tests.samples import fix

citizens = st.one_of(st.text(min_size=1, max_size=200), st.from_regex(r"citizen:[가-힣]{1,10}", fullmatch=True))
moments = st.datetimes(  # hypothesis wants the bounds without a zone
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]),
)
fixes = st.builds(
    Fix,
    citizen_id=citizens.filter(lambda text: "\0" not in text and _is_utf8(text)),
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    accuracy_m=st.floats(0, 1e9),
    observed_at=moments,
    received_at=moments,
    consent_epoch=st.integers(1, 2**31 - 1),
)


def _is_utf8(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


@dataclass
class Record:
    """As aiokafka hands it out, one by one."""

    value: bytes | None
    partition: int = 3
    offset: int = 0


def one_by_one(bodies: Sequence[bytes | None]) -> Decoded:
    records = [Record(body, offset=100 + nth) for nth, body in enumerate(bodies)]
    return wire.decode(cast("Sequence[ConsumerRecord]", records))


def in_records(bodies: Sequence[bytes | None]) -> RecordBatch:
    """As Kafka holds them, written by aiokafka's own builder, from offset 100 on."""
    builder = DefaultRecordBatchBuilder(2, ZSTD, 0, -1, -1, 0, 1 << 20)
    for nth, body in enumerate(bodies):
        builder.append(nth, 1_700_000_000_000 + nth, b"k" * nth or None, body, [("ce_id", b"1"), ("traceparent", b"2")])
    whole = bytearray(builder.build())
    whole[:8] = (100).to_bytes(8, "big")
    (batch,) = plain_batches(bytes(whole), TopicPartition("locations.v1", 3), 100) or []
    return batch


def in_a_batch(bodies: Sequence[bytes | None]) -> Decoded:
    return wire.decode([in_records(bodies)])


Reader = Callable[[Sequence[bytes | None]], Decoded]
READERS: list[Reader] = [one_by_one, in_a_batch]


def ids_of(texts: list[bytes]) -> list[str]:
    """Of up to as many names as there are lanes."""
    messages, out = np.zeros((digest.LANES, digest.LONGEST), np.uint8), np.zeros((digest.LANES, 36), np.uint8)
    lengths = np.zeros(digest.LANES, np.int64)
    for lane, text in enumerate(texts):
        message = assembly.NAMESPACE.tobytes() + text
        messages[lane, : len(message)], lengths[lane] = np.frombuffer(message, np.uint8), len(message)
    words, state = np.zeros((digest.WORDS, digest.LANES), np.uint32), np.zeros((5, digest.LANES), np.uint32)
    digest.write_ids(messages, lengths, len(texts), words, state, out)
    return [row.tobytes().decode() for row in out[: len(texts)]]


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Before the properties, each example of which has a deadline."""
    in_a_batch([body_of(fix())])
    ids_of([b""])


@pytest.mark.parametrize("decode", READERS)
@given(fix=fixes)
def test_every_fix_that_the_contract_writes_is_read_as_it_is(decode: Reader, fix: Fix) -> None:
    read = decode([body_of(fix)])
    assert not read.bad
    (row,) = read.fixes.rows
    assert (read.fixes.citizen_ids, row["partition"], row["offset"]) == ([fix.citizen_id], 3, 100)
    assert [row["lat"], row["lon"], row["accuracy_m"]] == [fix.lat, fix.lon, fix.accuracy_m]
    assert row["observed_ms"] == math.floor(fix.observed_at.timestamp() * 1000)
    assert (row["epoch"], row["received_us"]) == (fix.consent_epoch, (fix.received_at - wire.EPOCH) // wire.MICROSECOND)


@given(
    citizen=st.from_regex(r"[A-Za-z0-9:-]{1,40}", fullmatch=True),
    lat=st.decimals(-95, 95, places=9),
    places=st.integers(0, 9),
    at=moments,
    digits=st.integers(0, 7),
    epoch=st.sampled_from(["1", "0", "-1", "01", "2147483647", "2147483648", "1.0", "9" * 12]),
)
def test_the_compiled_reader_reads_what_msgspec_reads_or_leaves_it(
    citizen: str, lat: Any, places: int, at: datetime, digits: int, epoch: str
) -> None:
    """Bodies in the canonical form, some of them with numbers and times that are not."""
    told = f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at.microsecond:06d}0"[: digits + 1] if digits else "") + "Z"
    body = (
        f'{{"citizen_id":"{citizen}","lat":{round(lat, places)},"lon":126.5,"accuracy_m":5,"observed_at":"{told}",'
        f'"received_at":"{told}","consent_epoch":{epoch}}}'
    ).encode()
    spaced = body.replace(b',"', b', "')
    compiled, slow = in_a_batch([body]), in_a_batch([spaced])
    assert bool(compiled.bad) == bool(slow.bad)
    columns = ["lat", "lon", "accuracy_m", "observed_ms", "received_us", "epoch"]
    assert compiled.fixes.rows[columns].tolist() == slow.fixes.rows[columns].tolist()
    assert compiled.fixes.citizen_ids == slow.fixes.citizen_ids


def test_what_the_api_writes_is_read_by_the_compiled_reader() -> None:
    rows, text = wire._bodies([in_records([body_of(fix("c1")), body_of(fix("citizen-2", lat=35.1234567))])])
    assert canonical.read_all(text, rows) == 0


GOOD = json.loads(body_of(fix()))
odd = st.one_of(
    st.none(), st.booleans(), st.integers(-400, 400), st.floats(), st.text(max_size=5), st.just(""), st.just("\0"),
    st.sampled_from(["NaN", "2026-11-22T09:30:00", "2026-11-22T09:30:00Z", "35.1", [], {}, 1e400, 2**40]),
)  # fmt: skip


@given(field=st.sampled_from(sorted(GOOD)), value=odd)
def test_what_the_contract_refuses_the_engine_refuses(field: str, value: Any) -> None:
    body = json.dumps({**GOOD, field: value}).encode()
    refused = {bool(decode([body]).bad) for decode in READERS}
    assert len(refused) == 1
    try:
        Fix.model_validate_json(body)
    except ValidationError:
        assert refused == {True}


@pytest.mark.parametrize("decode", READERS)
@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_refused(decode: Reader, field: str) -> None:
    body = json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()
    ((partition, offset, reason),) = decode([body]).bad
    assert (partition, offset) == (3, 100)
    assert "35.19" not in reason


@pytest.mark.parametrize("decode", READERS)
@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"', b"{}"])
def test_bytes_that_are_no_fix_are_told_and_the_others_read(decode: Reader, body: bytes | None) -> None:
    read = decode([body_of(fix()), body, body_of(fix("citizen:바다"))])
    assert [offset for _, offset, _ in read.bad] == [101]
    assert read.fixes.citizen_ids == ["citizen:하늘", "citizen:바다"]


def test_unknown_fields_are_left_alone() -> None:
    assert not in_a_batch([json.dumps({**GOOD, "floor": 3}).encode()]).bad


@given(
    named=st.lists(
        st.tuples(st.text(max_size=200).filter(_is_utf8), st.uuids(), st.integers(0, 2**31)), max_size=digest.LANES
    )
)
def test_the_fast_alert_ids_are_the_contracts(named: list[tuple[str, Any, int]]) -> None:
    texts = [f"{citizen}\n{posting}\n{epoch}".encode() for citizen, posting, epoch in named]
    assert ids_of(texts) == [str(alert_id(*one)) for one in named]


@given(citizen=citizens.filter(_is_utf8))
def test_a_citizen_has_one_partition_on_all_topics(citizen: str) -> None:
    """The outbox relay and the position intake leave the choice to the client; the engine relies on it."""
    partitions = list(range(8))
    assert DefaultPartitioner()(citizen.encode(), partitions, partitions) == partition_of(citizen, 8)
