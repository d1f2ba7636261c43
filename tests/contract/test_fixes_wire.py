"""What the engine reads of a fix, and the ids it gives alerts, are those of the contracts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.matching.alerts.wire import fast_alert_id
from services.matching.positions import wire
from services.matching.positions.wire import Decoded
from shared.contracts import Fix
from shared.contracts.alert import alert_id
from shared.messaging.envelope import body_of
from shared.messaging.partitions import partition_of
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
    value: bytes | None
    partition: int = 3


def decode(records: Sequence[Record]) -> Decoded:
    return wire.decode(cast("Sequence[ConsumerRecord]", records))


@given(fix=fixes)
def test_every_fix_that_the_contract_writes_is_read_as_it_is(fix: Fix) -> None:
    read = decode([Record(body_of(fix))])
    assert not read.bad
    columns = read.fixes
    assert (columns.citizen_ids, columns.partitions) == ([fix.citizen_id], [3])
    assert [columns.lat[0], columns.lon[0], columns.accuracy_m[0]] == [fix.lat, fix.lon, fix.accuracy_m]
    assert columns.observed_ms[0] == math.floor(fix.observed_at.timestamp() * 1000)
    assert (columns.consent_epoch[0], list(read.received_at)) == (fix.consent_epoch, [fix.received_at])


GOOD = json.loads(body_of(fix()))
odd = st.one_of(
    st.none(), st.booleans(), st.integers(-400, 400), st.floats(), st.text(max_size=5), st.just(""), st.just("\0"),
    st.sampled_from(["NaN", "2026-11-22T09:30:00", "2026-11-22T09:30:00Z", "35.1", [], {}, 1e400, 2**40]),
)  # fmt: skip


@given(field=st.sampled_from(sorted(GOOD)), value=odd)
def test_what_the_contract_refuses_the_engine_refuses(field: str, value: Any) -> None:
    body = json.dumps({**GOOD, field: value}).encode()
    refused = bool(decode([Record(body)]).bad)
    try:
        Fix.model_validate_json(body)
    except ValidationError:
        assert refused


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_refused(field: str) -> None:
    body = json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()
    ((_, reason),) = decode([Record(body)]).bad
    assert "35.19" not in reason


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"', b"{}"])
def test_bytes_that_are_no_fix_are_told_and_the_others_read(body: bytes | None) -> None:
    read = decode([Record(body_of(fix())), Record(body), Record(body_of(fix("citizen:바다")))])
    assert [record.value for record, _ in read.bad] == [body]
    assert read.fixes.citizen_ids == ["citizen:하늘", "citizen:바다"]


def test_unknown_fields_are_left_alone() -> None:
    assert not decode([Record(json.dumps({**GOOD, "floor": 3}).encode())]).bad


@given(citizen=st.text(max_size=50).filter(_is_utf8), posting=st.uuids(), epoch=st.integers(0, 2**31))
def test_the_fast_alert_id_is_the_contracts(citizen: str, posting: Any, epoch: int) -> None:
    assert fast_alert_id(citizen, str(posting), epoch) == str(alert_id(citizen, posting, epoch))


@given(citizen=citizens.filter(_is_utf8))
def test_a_citizen_has_one_partition_on_all_topics(citizen: str) -> None:
    """The outbox relay and the position intake leave the choice to the client; the engine relies on it."""
    partitions = list(range(8))
    assert DefaultPartitioner()(citizen.encode(), partitions, partitions) == partition_of(citizen, 8)
