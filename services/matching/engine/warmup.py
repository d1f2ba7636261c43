"""Every compiled loop is compiled, or loaded from its cache, before the first fix comes: one tiny run of all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from services.matching.alerts import columns
from services.matching.alerts.publisher import TALLIED
from services.matching.alerts.wire import AlertWriter
from services.matching.engine.engine import Engine, Rules
from services.matching.positions.wire import decode
from shared.contracts import Fix, Posting, Watch
from shared.contracts.location import LOCATIONS
from shared.geo import District
from shared.messaging.envelope import body_of
from shared.messaging.record_batches import RecordBatch, plain_batches

START = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def warm_up(district: District) -> None:
    """From bytes to bytes, and through what a change of the other side sets going."""
    engine, posting = Engine(district, Rules()), _posting(district)
    home = (district.dongs[0].code,)
    watch = Watch(citizen_id="-", version=1, consent_epoch=1, located=True, home_dongs=home, changed_at=START)
    engine.put_watch(watch, 0, START)
    engine.put_posting(posting, START)
    fixes = decode(_fixes()).fixes
    engine.take(fixes, START)
    again = engine.put_posting(posting.model_copy(update={"version": 2, "urgency_epoch": 1}), START)
    list(AlertWriter(engine, district).write(again, fixes.rows["received_us"], START))
    columns.tally(again, engine.postings.table.rows, np.zeros(TALLIED, np.int64))
    engine.look_again([0], START, "watch_changed")
    engine.remember([("-", posting.id, 1)], 0)
    engine.renew_pairs()


def _posting(district: District) -> Posting:
    where = {"circles": [{"lat": 0.0, "lon": 0.0, "radius_m": 700}], "dongs": [district.dongs[0].code]}
    return Posting.model_validate({
        "id": uuid4(), "kind": "notice", "version": 1, "status": "open", "where": where, "headline": "-", "institution": "-",
        "link": "-", "expires_at": START + timedelta(days=1), "changed_at": START,
    })  # fmt: skip


def _fixes() -> list[RecordBatch]:
    fix = Fix(citizen_id="-", lat=0, lon=0, accuracy_m=1, observed_at=START, received_at=START, consent_epoch=1)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 16)
    builder.append(0, 0, b"-", body_of(fix), [])
    return plain_batches(bytes(builder.build()), TopicPartition(LOCATIONS.name, 0), 0) or []
