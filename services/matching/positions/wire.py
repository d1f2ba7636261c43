"""Fixes as the engine reads them: decoded by msgspec into columns, checked as strictly as the contract asks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from aiokafka import ConsumerRecord

from services.matching.engine.engine import Fixes


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
    """The good fixes as columns, when each was received (for latency), and the bad records with the reason."""

    fixes: Fixes
    received_at: Sequence[datetime]
    bad: Sequence[tuple[ConsumerRecord, str]]


def decode(records: Sequence[ConsumerRecord]) -> Decoded:
    """Never raises for a bad record: it is returned among `bad`, without the coordinate it may hold."""
    good: list[FixBody] = []
    partitions: list[int] = []
    bad: list[tuple[ConsumerRecord, str]] = []
    for record in records:
        try:
            fix = _decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            bad.append((record, f"against its contract: {type(error).__name__}"))
            continue
        if problem := _problem(fix):
            bad.append((record, problem))
            continue
        good.append(fix)
        partitions.append(record.partition)
    fixes = Fixes(
        [f.citizen_id for f in good], partitions,
        np.array([f.lat for f in good]), np.array([f.lon for f in good]), np.array([f.accuracy_m for f in good]),
        np.array([int(f.observed_at.timestamp() * 1000) for f in good], np.int64),
        np.array([f.consent_epoch for f in good], np.int32),
    )  # fmt: skip
    return Decoded(fixes, [f.received_at for f in good], bad)


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
