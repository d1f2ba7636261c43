"""Fixes as the engine reads them: columns from whole record batches, as strictly checked as the contract asks.

Bodies in the API's own form are read by compiled loops (canonical.py), all others one by one by msgspec; which of the two
read a fix makes no difference to what it is (tests/contract/test_fixes_wire.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from services.matching.engine.fixes import FIX, Fixes, Text
from services.matching.engine.tables import Rows
from services.matching.positions import canonical
from shared.messaging.record_batches import Item, RecordBatch

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
NOT_READ = "against its contract"


class FixBody(msgspec.Struct, gc=False):
    """`locations.v1`'s payload (shared.contracts.Fix)."""

    citizen_id: str
    lat: float
    lon: float
    accuracy_m: float
    observed_at: datetime
    received_at: datetime
    consent_epoch: int


_decode = msgspec.json.Decoder(FixBody).decode


@dataclass(frozen=True)
class Decoded:
    """The good fixes, and of each bad record its partition, its offset and the reason, without the coordinate it may hold."""

    fixes: Fixes
    bad: Sequence[tuple[int, int, str]]


def decode(taken: Iterable[Item]) -> Decoded:
    """Never raises for a bad record: it is told among `bad`."""
    rows, text = _bodies(list(taken))
    if not canonical.read_all(text, rows):
        return Decoded(Fixes(rows, text), ())
    extra, bad = bytearray(), []
    for nth in np.flatnonzero(~rows["canonical"]).tolist():
        row = rows[nth]
        problem = _read(text[row["body_at"] :][: row["body_length"]].tobytes(), row, len(text), extra)
        if problem:
            bad.append((int(row["partition"]), int(row["offset"]), problem))
    text = np.concatenate([text, np.frombuffer(bytes(extra), np.uint8)])
    return Decoded(Fixes(rows[rows["epoch"] > 0] if bad else rows, text), bad)


def _bodies(taken: Sequence[Item]) -> tuple[Rows, Text]:
    """Rows that say where each body is, and the bytes they are in."""
    sections = [item.records() if isinstance(item, RecordBatch) else item.value or b"" for item in taken]
    text = np.frombuffer(b"".join(sections), np.uint8)
    rows = np.zeros(sum(item.count if isinstance(item, RecordBatch) else 1 for item in taken), FIX)
    at = n = 0
    for item, section in zip(taken, sections, strict=True):
        if isinstance(item, RecordBatch):
            n = canonical.split(text, at, item.count, item.base_offset, item.since, item.partition.partition, rows, n)
        else:
            row = rows[n]
            row["body_at"], row["body_length"], row["offset"], row["partition"] = (
                at, len(section), item.offset, item.partition,
            )  # fmt: skip
            n += 1
        at += len(section)
    return rows[:n], text


def _read(body: bytes, row: Rows, text_ends: int, extra: bytearray) -> str | None:
    """Fill a row by msgspec, its citizen's id going to `extra`, which will follow the text; else the reason why not."""
    row["epoch"] = 0
    try:
        fix = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"{NOT_READ}: {type(error).__name__}"
    if problem := _problem(fix):
        return problem
    citizen = fix.citizen_id.encode()
    row["id_at"], row["id_length"] = text_ends + len(extra), len(citizen)
    extra += citizen
    row["lat"], row["lon"], row["accuracy_m"] = fix.lat, fix.lon, fix.accuracy_m
    row["observed_ms"] = int(fix.observed_at.timestamp() * 1000)
    row["received_us"], row["epoch"] = (fix.received_at - EPOCH) // MICROSECOND, fix.consent_epoch
    return None


def _problem(fix: FixBody) -> str | None:
    if not (-90 <= fix.lat <= 90 and -180 <= fix.lon <= 180):
        return "lat, lon: out of range"
    if not (fix.accuracy_m >= 0 and math.isfinite(fix.accuracy_m)):
        return "accuracy_m: must be a finite number from 0"
    if fix.observed_at.tzinfo is None or fix.received_at.tzinfo is None:
        return "observed_at, received_at: need a zone"
    if not (0 < len(fix.citizen_id) <= 200 and "\0" not in fix.citizen_id and 1 <= fix.consent_epoch < 1 << 31):
        return "citizen_id, consent_epoch: out of range"
    return None
