"""The engine: events in, matches out. Whichever side of a pair changes second sees the first, for one worker holds
all postings and, for its partitions, all citizens, and takes one event at a time (docs/architecture/matching.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from services.matching.engine import kernel
from services.matching.engine.areas import OUTSIDE, Areas
from services.matching.engine.meeting import copy_pairs, find_pair, mark_alerted
from services.matching.engine.residents import Concerned
from services.matching.engine.state import CitizenBook, InterestBits, PostingBook, is_muted, to_ms
from services.matching.engine.tables import ANEW, F64, I32, I64, Pairs, Rows
from shared.contracts import Posting, Watch
from shared.contracts.alert import Cause, Rule
from shared.contracts.posting import veiled
from shared.geo import District

ROOM = 1 << 14
FIX = np.dtype(
    [("citizen", np.int64), ("lat", np.float64), ("lon", np.float64), ("accuracy_m", np.float64),
     ("observed_ms", np.int64), ("dong", np.int64), ("epoch", np.int32)], align=True,
)  # fmt: skip
MATCH = np.dtype(
    [("citizen", np.int64), ("posting", np.int64), ("metres", np.float64), ("fix", np.int64), ("rule", np.int8)],
    align=True,
)


@dataclass(frozen=True)
class Rules:
    """The gates a fix must pass (M1, M3)."""

    max_accuracy_m: float = 200.0
    max_speed_m_s: float = 70.0
    stale_after_s: float = 600.0


@dataclass(frozen=True)
class Fixes:
    """A batch of fixes as columns, in the order they were taken in; all of one length."""

    citizen_ids: Sequence[str]
    partitions: Sequence[int]
    lat: F64
    lon: F64
    accuracy_m: F64
    observed_ms: I64
    consent_epoch: I32


class Match(NamedTuple):
    """A citizen to be told of a posting. `distance_m` is None unless within a radius; `fix` is the index in the batch, or -1."""

    citizen: int
    posting: int
    distance_m: float | None
    cause: Cause
    fix: int
    rule: Rule


class Engine:
    """All state of one worker. Not thread-safe: one caller, one event (or batch) at a time."""

    def __init__(self, district: District, rules: Rules) -> None:
        self.rules = rules
        self._bits = InterestBits()
        self.citizens = CitizenBook(self._bits, district)
        self.postings = PostingBook(self._bits, district)
        self.pairs = Pairs()
        self._areas = Areas(district)
        self._out: Rows = np.zeros(ROOM, MATCH)

    def take(self, fixes: Fixes, now: datetime) -> tuple[list[Match], NDArray[np.int8]]:
        """Apply fixes; returns the matches and each fix's outcome (an index into kernel.OUTCOMES)."""
        size = len(fixes.citizen_ids)
        batch, outcome = np.zeros(size, FIX), np.zeros(size, np.int8)
        batch["citizen"] = np.fromiter(map(self.citizens.row, fixes.citizen_ids, fixes.partitions), np.int64, size)
        batch["lat"], batch["lon"], batch["accuracy_m"] = fixes.lat, fixes.lon, fixes.accuracy_m
        batch["observed_ms"], batch["epoch"] = fixes.observed_ms, fixes.consent_epoch
        batch["dong"] = self._dongs(fixes.lat, fixes.lon)
        limits = (self.rules.max_accuracy_m, self.rules.max_speed_m_s, self._stale_ms)

        def some(done: int) -> tuple[int, int, int]:
            tables = (self.citizens.table.rows, self.postings.table.rows, self.postings.shapes.rows)
            cells, pairs = self.postings.cells, self.pairs
            return kernel.take_fixes(  # type: ignore[no-any-return]
                done, batch, limits, to_ms(now), *tables, cells.table, cells.pool, pairs.table, pairs.used, pairs.limit, outcome, self._out
            )  # fmt: skip

        return self._until_done(size, some, "citizen_moved"), outcome

    def put_posting(self, posting: Posting, now: datetime, *, look: bool = True) -> list[Match]:
        """A posting opened, changed or closed. Without `look` (while restoring) nobody is evaluated yet."""
        put = self.postings.put(posting, now)
        if put is None or not look or posting.status == "closed":
            return []
        row, anew = put
        matches = [
            match
            for nth, shape in enumerate(self.postings.shapes_of(row))
            for match in self._look_around(row, shape, anew and nth == 0, now)
        ]
        addresses = self.postings.addresses.of(row)
        return matches + self._look_at(self.citizens.residents.concerned_by(row, addresses), now, "posting_changed")

    def _look_around(self, row: int, shape: int, anew: bool, now: datetime) -> list[Match]:
        size, everybody = self.citizens.table.size, self.citizens.table.rows
        is_area = self.postings.shapes.rows["radius_m"][shape] <= 0
        dongs = (
            self._areas.of(everybody["lat"][:size], everybody["lon"][:size])
            if is_area
            else np.full(size, OUTSIDE, np.int64)
        )
        subject = self.postings.shapes.rows[shape], self.postings.table.rows[row]

        def some(done: int) -> tuple[int, int, int]:
            return kernel.look_around(  # type: ignore[no-any-return]
                done, size, *subject, anew, dongs, self._stale_ms, to_ms(now), everybody, self.pairs.table, self.pairs.used,
                self.pairs.limit, self._out,
            )  # fmt: skip

        return self._until_done(size, some, "posting_changed")

    def put_watch(self, watch: Watch, partition: int, now: datetime, *, look: bool = True) -> list[Match]:
        """A citizen's settings or consent changed."""
        row = self.citizens.put(watch, partition, now)
        return [] if row is None or not look else self._look_everywhere([row], now, "watch_changed")

    def tick(self, now: datetime) -> list[Match]:
        """Windows that began and circles that grew since the last call."""
        begun = self.citizens.windows_begun(now)
        matches = self._look_everywhere(begun, now, "window_began") if begun else []
        for row in self.postings.widened(now):
            for shape in self.postings.shapes_of(row):
                matches += self._look_around(row, shape, False, now)
        return matches

    def look_again(self, rows: Iterable[int], now: datetime, cause: Cause) -> list[Match]:
        """Evaluate citizens where they stand."""
        who = np.fromiter(rows, np.int64)
        everybody = self.citizens.table.rows
        dongs = self._dongs(everybody["lat"][who], everybody["lon"][who])

        def some(done: int) -> tuple[int, int, int]:
            cells, pairs = self.postings.cells, self.pairs
            return kernel.look_again(  # type: ignore[no-any-return]
                done, who, dongs, self._stale_ms, to_ms(now), everybody, self.postings.table.rows, self.postings.shapes.rows,
                cells.table, cells.pool, pairs.table, pairs.used, pairs.limit, self._out,
            )  # fmt: skip

        return self._until_done(len(who), some, cause)

    def _look_everywhere(self, rows: Sequence[int], now: datetime, cause: Cause) -> list[Match]:
        """Evaluate citizens where they stand and where they are at home."""
        residents, addressed = self.citizens.residents, self.postings.addresses
        concerned = (residents.concerning(row, addressed) for row in rows)
        return self.look_again(rows, now, cause) + [m for pairs in concerned for m in self._look_at(pairs, now, cause)]

    def residents_caught_up(self, partitions: set[int], now: datetime) -> Iterator[list[Match]]:
        """What the residents of newly given partitions are still to be told of, posting by posting."""
        here = np.isin(self.citizens.table.rows["partition"][: self.citizens.table.size], sorted(partitions))
        for row in self.postings.addresses.rows():
            concerned = self.citizens.residents.concerned_by(row, self.postings.addresses.of(row))
            yield self._look_at(concerned.of_whom(here), now, "caught_up")

    def _look_at(self, pairs: Concerned, now: datetime, cause: Cause) -> list[Match]:
        def some(done: int) -> tuple[int, int, int]:
            return kernel.look_at_residents(  # type: ignore[no-any-return]
                done, *pairs, to_ms(now), self.citizens.table.rows, self.postings.table.rows, self.pairs.table, self.pairs.used,
                self.pairs.limit, self._out,
            )  # fmt: skip

        return self._until_done(len(pairs.citizens), some, cause)

    def restore_position(
        self, row: int, lat: float, lon: float, accuracy_m: float, observed_ms: int, epoch: int
    ) -> bool:
        """Where a citizen was when another worker (or an earlier life) had them; refused without consent."""
        citizen = self.citizens.table.rows[row]
        refused = epoch < citizen["consent_epoch"] or (epoch == citizen["consent_epoch"] and not citizen["located"])
        if refused or observed_ms <= citizen["observed_ms"]:
            return False
        citizen["lat"], citizen["lon"], citizen["accuracy_m"], citizen["observed_ms"] = (
            lat,
            lon,
            accuracy_m,
            observed_ms,
        )
        citizen["fix_epoch"], citizen["dong"] = epoch, -1
        citizen["fix_count"] += ANEW
        return True

    def remember(self, alerted: Sequence[tuple[str, UUID, int]], partition: int) -> None:
        """Alerts acknowledged earlier, as (citizen, posting, urgency epoch)."""
        citizens = np.array([self.citizens.row(citizen, partition) for citizen, _, _ in alerted], np.int64)
        postings = np.array([self.postings.row(posting) for _, posting, _ in alerted], np.int64)
        epochs = np.array([epoch for _, _, epoch in alerted], np.int32)
        self._make_room(len(alerted))
        self.pairs.used += mark_alerted(citizens, postings, epochs, self.pairs.table)

    def _until_done(self, size: int, some: Callable[[int], tuple[int, int, int]], cause: Cause) -> list[Match]:
        """Run a kernel until it has gone through all of `size`, making room as often as it asks."""
        matches: list[Match] = []
        done = 0
        while done < size:
            self._make_room(max(ROOM, self.postings.cells.longest))
            done, written, self.pairs.used = some(done)
            matches += self._matches(self._out[:written], cause)
        return matches

    def _matches(self, out: Rows, cause: Cause) -> list[Match]:
        metres = (None if m < 0 else m for m in out["metres"].tolist())
        rows = zip(*(out[name].tolist() for name in ("citizen", "posting", "fix", "rule")), metres, strict=True)
        found = [Match(c, p, m, cause, f, kernel.RULES[r]) for c, p, f, r, m in rows]
        plain = self._bits.exact and not self.postings.excluding
        if plain and not self.citizens.table.rows["picky"][out["citizen"]].any():
            return found
        return [match for match in found if self._truly_wanted(match)]

    def _truly_wanted(self, match: Match) -> bool:
        """What the records cannot say: muted senders and postings, who is not to be told, interests without a bit of their own."""
        watch, posting = self.citizens.watches[match.citizen], self.postings.current[match.posting]
        if watch is None or posting is None:
            return False
        refused = is_muted(watch, posting)
        if posting.audience.not_for:
            refused |= veiled(posting.id, watch.citizen_id) in posting.audience.not_for
        theirs, ours = set(posting.audience.interests), set(watch.interests)
        if not refused and (not theirs or not ours or theirs & ours):
            return True
        slot = find_pair(self.pairs.table, match.citizen, match.posting)
        self.pairs.table["alerted"][slot] = posting.urgency_epoch - 1
        return False

    def _make_room(self, wanted: int) -> None:
        """For `wanted` more pairs, and for as many matches as one cell can give at once."""
        if len(self._out) < self.postings.cells.longest:
            self._out = np.zeros(self.postings.cells.longest * 2, MATCH)
        if self.pairs.limit - self.pairs.used >= wanted:
            return
        keep = np.array([p is None or p.status == "open" for p in self.postings.current], np.bool_)
        size = len(self.pairs.table) * 2
        while size * 6 // 10 - self.pairs.used < wanted:
            size *= 2
        old, self.pairs = self.pairs, Pairs(size)
        self.pairs.used = copy_pairs(old.table, keep, self.pairs.table)

    @property
    def _stale_ms(self) -> int:
        return int(self.rules.stale_after_s * 1000)

    def _dongs(self, lat: F64, lon: F64) -> NDArray[np.int64]:
        return self._areas.of(lat, lon) if self.postings.areas else np.full(len(lat), OUTSIDE, np.int64)


def warm_up(district: District) -> None:
    """Compile the kernel, or load it from its cache, before the first fix comes: one tiny run of every entry."""
    now, nowhere = datetime.fromtimestamp(0, UTC), uuid4()
    engine = Engine(district, Rules())
    where = {"circles": [{"lat": 0.0, "lon": 0.0, "radius_m": 700}], "dongs": [district.dongs[0].code]}
    common = {
        "kind": "job",
        "version": 1,
        "status": "open",
        "where": where,
        "headline": "-",
        "institution": "-",
        "link": "-",
    }
    later = now + timedelta(days=1)
    posting = Posting.model_validate({**common, "id": nowhere, "expires_at": later, "changed_at": now})
    home = (district.dongs[0].code,)
    engine.put_watch(
        Watch(citizen_id="-", version=1, consent_epoch=1, located=True, home_dongs=home, changed_at=now), 0, now
    )
    engine.put_posting(posting, now)
    one = np.zeros(1)
    engine.take(Fixes(["-"], [0], one, one, one, np.ones(1, np.int64), np.ones(1, np.int32)), now)
    engine.put_posting(posting.model_copy(update={"version": 2, "urgency_epoch": 1}), now)
    engine.look_again([0], now, "watch_changed")
    engine.remember([("-", nowhere, 1)], 0)
    engine._make_room(engine.pairs.limit)
