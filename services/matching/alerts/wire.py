"""Alerts as bytes, many at a time: matches in, records of Kafka batches out.

The bytes are those of the contract (shared.contracts.Alert); tests/contract/test_wire.py holds the two together. What can be
said by columns is put together by compiled loops (assembly.py); only where a citizen's own words are part of an alert –
matched interests, the window that held, quiet hours – they are looked up here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from services.matching.alerts import assembly, columns
from services.matching.alerts.assembly import NO_REACH, SAID
from services.matching.alerts.digest import ID_LENGTH
from services.matching.alerts.fragments import Fragments
from services.matching.engine.areas import Areas
from services.matching.engine.bits import to_us
from services.matching.engine.engine import Engine
from services.matching.engine.fixes import Text
from services.matching.engine.matches import Match, named
from services.matching.engine.tables import I64, Rows
from services.matching.watches.domain import free_spans, has_windows, quiet_until
from shared.contracts import Alert, Posting, Watch
from shared.contracts.alert import ALERTS
from shared.geo import District

ROOM = 512 * 1024
NOTHING: Text = np.zeros(1, np.uint8)
_encode = msgspec.json.Encoder().encode
_FIXED_HEADERS = [
    ("ce_specversion", b"1.0"), ("ce_type", Alert.TYPE.encode()), ("ce_source", b"/services/matching"),
    ("content-type", b"application/json"),
]  # fmt: skip


class Written(NamedTuple):
    """The records section of one batch, for one partition of alerts.v1; they stand there until the next batch is asked for."""

    partition: int
    records: memoryview
    alerts: int


class AlertWriter:
    """Turns an engine's matches into records. Holds one encoded fragment per posting."""

    def __init__(self, engine: Engine, where: District) -> None:
        self._engine, self._where = engine, where
        self._areas = Areas(where)
        self._fragments = Fragments()
        self._out: Text = np.zeros(ROOM, np.uint8)

    def write(
        self, matches: Rows, received_us: I64, now: datetime, trace: Sequence[tuple[str, bytes]] = ()
    ) -> Iterator[Written]:
        """Batches of one partition after another. `received_us` says when each fix came in, for matches that name one."""
        citizens, names = self._engine.citizens.table.rows, self._engine.citizens.ids
        self._refresh(matches["posting"], now)
        said, spoken = self._spoken(matches, now)
        postings, received_us = self._engine.postings.table.rows, np.ascontiguousarray(received_us)
        caused_us = columns.causes_of(matches, received_us, to_us(now), postings, citizens)
        order, bounds = columns.by_partition(matches, citizens, ALERTS.partitions)
        frame = _frame(now, trace)
        fragments, ids = self._fragments, np.empty((len(matches), ID_LENGTH), np.uint8)
        assembly.identify(matches, names.rows, names.pool, fragments.rows, fragments.text, ids)
        for partition, (first, last) in enumerate(itertools.pairwise(bounds.tolist())):
            mine, done = order[first:last], 0
            while done < len(mine):
                done, count, size = assembly.assemble(
                    done, mine, matches, ids, caused_us, said, spoken, names.rows, names.pool, citizens, fragments.rows,
                    fragments.text, frame, self._out,
                )  # fmt: skip
                if count == 0:  # one alert larger than the room for many
                    self._out = np.zeros(len(self._out) * 2, np.uint8)
                    continue
                yield Written(partition, self._out[:size].data, count)

    def prepare(self, rows: I64, now: datetime) -> None:
        """Encode what postings tell before the first alert of each is waited for."""
        self._refresh(rows[self._engine.postings.table.rows["open"][rows]], now)

    def _refresh(self, rows: I64, now: datetime) -> None:
        """Fragments of postings that changed are encoded anew, and circles that widen are as wide as they are now."""
        postings, current = self._engine.postings.table.rows, self._engine.postings.current
        stale = [
            (row, posting) for row in self._fragments.stale(rows, postings["version"]) if (posting := current[row])
        ]
        if stale:
            changed = [posting for _, posting in stale]
            self._fragments.put([row for row, _ in stale], changed, self._dongs(changed))
        for row in set(rows[postings["widens"][rows]].tolist()):
            posting = current[row]
            if posting is not None:
                self._fragments.rows["reach_m"][row] = _widest_m(posting, now)

    def _dongs(self, postings: list[Posting]) -> list[str | None]:
        """The 동 of each posting's (first) place, never the citizen's; or the one 동 that it is aimed at."""
        points = [(c[0].lat, c[0].lon) if (c := posting.where.circles) else (np.nan, np.nan) for posting in postings]
        at = np.array(points, np.float64).reshape(-1, 2)
        found = self._areas.of(at[:, 0], at[:, 1]).tolist()
        return [
            self._where.dongs[index].name if index >= 0 else self._aimed_at(posting)
            for index, posting in zip(found, postings, strict=True)
        ]

    def _aimed_at(self, posting: Posting) -> str | None:
        codes = posting.where.dongs
        only = codes[0] if len(codes) == 1 and not posting.where.circles else None
        return self._where.by_code[only].name if only in self._where.by_code else None

    def _spoken(self, matches: Rows, now: datetime) -> tuple[Rows, Text]:
        """What the settings of some add to their alerts, and the text that holds it."""
        said, text = np.zeros(len(matches), SAID), bytearray()
        wordy = np.flatnonzero(self._engine.citizens.table.rows["wordy"][matches["citizen"]])
        if not len(wordy):
            return said, NOTHING
        for nth, match in zip(wordy.tolist(), named(matches[wordy]), strict=True):
            watch, posting = self._engine.citizens.watches[match.citizen], self._engine.postings.current[match.posting]
            if watch is not None and posting is not None:
                why, until = self._why(match, posting, watch, now), _deferred(posting, watch, now)
                said[nth] = len(text), len(why), len(text) + len(why), len(until)
                text += why + until
        return said, np.array(text, np.uint8)

    def _why(self, match: Match, posting: Posting, watch: Watch, now: datetime) -> bytes:
        """Nothing if only version and radius are to be told."""
        about_time = posting.kind == "job" and has_windows(watch)
        matched = [interest for interest in posting.audience.interests if interest in watch.interests]
        span = next((s for s in free_spans(watch, now) if s.holds(now)), None) if about_time else None
        if not matched and span is None:
            return b""
        why: dict[str, Any] = {"cause": match.cause, "watch_version": watch.version, "rule": match.rule}
        widest_m = int(self._fragments.rows["reach_m"][match.posting])
        if match.rule == "within_radius" and widest_m != NO_REACH:
            why["reach_m"] = min(widest_m, watch.radius_m or widest_m)
        why["matched_interests"] = matched
        if span is not None:
            why |= {"window_starts_at": span.starts_at.astimezone(UTC), "window_ends_at": span.ends_at.astimezone(UTC)}
        return _encode(why)

    def forget(self, posting: int) -> None:
        """A posting (by the engine's row) that closed is not told of any more."""
        self._fragments.drop(posting)


def _widest_m(posting: Posting, now: datetime) -> int:
    """The widest circle as it is now: a setting, which tells no distance."""
    circles = (circle.radius_m for circle in posting.where.circles)
    return max((posting.widens.radius_m(m, now) if posting.widens else m for m in circles), default=NO_REACH)


def _deferred(posting: Posting, watch: Watch, now: datetime) -> bytes:
    """When the citizen's quiet hours end, as JSON; nothing if they are not quiet, and for an emergency (N3)."""
    quiet = quiet_until(watch.quiet, now) if watch.quiet is not None and not posting.emergency else None
    return b"" if quiet is None else _encode(quiet.astimezone(UTC))


def _frame(now: datetime, trace: Sequence[tuple[str, bytes]]) -> tuple[Text, Text, Text]:
    """The headers of every record before the id's letters and after them, and the time of making."""
    made = now.astimezone(UTC).isoformat().encode()
    head = _varint(len(_FIXED_HEADERS) + 2 + len(trace)) + _BEFORE_ID
    tail = b"".join(_header(*pair) for pair in (("ce_time", made), *trace))
    return np.frombuffer(head, np.uint8), np.frombuffer(tail, np.uint8), np.frombuffer(made, np.uint8)


def _header(name: str, value: bytes) -> bytes:
    return _varint(len(name)) + name.encode() + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Zigzag, as Kafka has it; from 0 on."""
    out, rest = bytearray(), value << 1
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


_BEFORE_ID = b"".join(_header(*pair) for pair in _FIXED_HEADERS) + _header("ce_id", b"")[:-1] + _varint(ID_LENGTH)
