"""The engine: events in, matches out. Whichever side of a pair changes second sees the first, for one worker holds
all postings and, for its partitions, all citizens, and takes one event at a time (docs/architecture/matching.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.engine import kernel
from services.matching.engine.areas import OUTSIDE, Areas
from services.matching.engine.bits import InterestBits, to_ms
from services.matching.engine.citizens import CitizenBook, is_muted
from services.matching.engine.fixes import Fixes
from services.matching.engine.matches import CAUSES, MATCH, NOBODY, joined
from services.matching.engine.meeting import copy_pairs, count_pairs, find_pair, mark_alerted, part
from services.matching.engine.postings import PostingBook
from services.matching.engine.residents import Concerned
from services.matching.engine.tables import ANEW, F64, I64, Pairs, Rows
from shared.contracts import Posting, Watch
from shared.contracts.alert import Cause
from shared.contracts.posting import veiled
from shared.geo import District

ROOM = 1 << 14


@dataclass(frozen=True)
class Rules:
    """The gates a fix must pass (M1, M3)."""

    max_accuracy_m: float = 200.0
    max_speed_m_s: float = 70.0
    stale_after_s: float = 600.0


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

    def take(self, fixes: Fixes, now: datetime) -> tuple[Rows, NDArray[np.int8]]:
        """Apply fixes; returns the matches and each fix's outcome (an index into kernel.OUTCOMES)."""
        rows, outcome = fixes.rows, np.zeros(len(fixes), np.int8)
        self.citizens.look_up(fixes)
        rows["dong"] = self._dongs(rows["lat"], rows["lon"])
        limits = (self.rules.max_accuracy_m, self.rules.max_speed_m_s, self._stale_ms)

        def some(done: int) -> tuple[int, int, int]:
            tables = (self.citizens.table.rows, self.postings.table.rows, self.postings.shapes.rows)
            cells, pairs = self.postings.cells, self.pairs
            return kernel.take_fixes(  # type: ignore[no-any-return]
                done, rows, limits, to_ms(now), *tables, cells.table, cells.pool, pairs.table, pairs.used, pairs.limit, outcome, self._out
            )  # fmt: skip

        matches = self._until_done(len(rows), some, "citizen_moved")
        self.citizens.standing.moved(np.ascontiguousarray(rows["citizen"]))
        return matches, outcome

    def put_posting(self, posting: Posting, now: datetime, *, look: bool = True) -> Rows:
        """A posting opened, changed or closed. Without `look` (while restoring) nobody is evaluated yet."""
        return joined(self.put_postings([posting], now, look=look))

    def put_postings(self, postings: Sequence[Posting], now: datetime, *, look: bool = True) -> Iterator[Rows]:
        """Of postings that came together, one after another, all that is to be told; in pieces, so that the first may leave."""
        taken = [(posting, put) for posting in postings if (put := self.postings.put(posting, now)) is not None]
        changed = [put for posting, put in taken if look and posting.status == "open"]
        anew = [row for row, anew in changed if anew]
        if anew:
            chosen = np.zeros(self.postings.table.size, np.bool_)
            chosen[anew] = True
            part(chosen, self.pairs.table)
        if changed:
            yield from self._look_around([row for row, _ in changed], now)

    def _look_around(self, rows: Sequence[int], now: datetime) -> Iterator[Rows]:
        """Evaluate whoever may be within the shapes of these postings, and whom they concern elsewhere."""
        circles, areas = self.postings.circles_and_areas(rows)
        standing, shapes, done = self.citizens.standing, self.postings.shapes.rows, 0
        while done < len(circles):
            done, who, what = standing.near_circles(done, circles, shapes)
            yield self._meet(who, what, np.zeros(len(who), np.int64), now)
        for shape, cells in areas:
            who = standing.within(cells)
            everybody = self.citizens.table.rows
            dongs = self._areas.of(everybody["lat"][who], everybody["lon"][who])
            yield self._meet(who, np.full(len(who), shape, np.int64), dongs, now)
        for row in rows:
            if addresses := self.postings.addresses.of(row):
                yield self._look_at(self.citizens.residents.concerned_by(row, addresses), now, "posting_changed")

    def _meet(self, who: I64, what: I64, dongs: I64, now: datetime) -> Rows:
        def some(done: int) -> tuple[int, int, int]:
            return kernel.look_around(  # type: ignore[no-any-return]
                done, who, what, dongs, self._stale_ms, to_ms(now), self.citizens.table.rows, self.postings.table.rows,
                self.postings.shapes.rows, self.pairs.table, self.pairs.used, self.pairs.limit, self._out,
            )  # fmt: skip

        return self._until_done(len(who), some, "posting_changed")

    def put_watch(self, watch: Watch, partition: int, now: datetime, *, look: bool = True) -> Rows:
        """A citizen's settings or consent changed."""
        row = self.citizens.put(watch, partition, now)
        return NOBODY if row is None or not look else self._look_everywhere([row], now, "watch_changed")

    def tick(self, now: datetime) -> Rows:
        """Windows that began and circles that grew since the last call."""
        begun = self.citizens.windows_begun(now)
        matches = [self._look_everywhere(begun, now, "window_began")] if begun else []
        return joined([*matches, *self._look_around(self.postings.widened(now), now)])

    def look_again(self, rows: Iterable[int], now: datetime, cause: Cause) -> Rows:
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

    def _look_everywhere(self, rows: Sequence[int], now: datetime, cause: Cause) -> Rows:
        """Evaluate citizens where they stand and where they are at home."""
        residents, addressed = self.citizens.residents, self.postings.addresses
        concerned = (residents.concerning(row, addressed) for row in rows)
        return joined([self.look_again(rows, now, cause), *(self._look_at(pairs, now, cause) for pairs in concerned)])

    def residents_caught_up(self, partitions: set[int], now: datetime) -> Iterator[Rows]:
        """What the residents of newly given partitions are still to be told of, posting by posting."""
        here = np.isin(self.citizens.table.rows["partition"][: self.citizens.table.size], sorted(partitions))
        for row in self.postings.addresses.rows():
            concerned = self.citizens.residents.concerned_by(row, self.postings.addresses.of(row))
            yield self._look_at(concerned.of_whom(here), now, "caught_up")

    def _look_at(self, pairs: Concerned, now: datetime, cause: Cause) -> Rows:
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
        self.citizens.standing.moved(np.array([row], np.int64))
        return True

    def remember(self, alerted: Sequence[tuple[str, UUID, int]], partition: int) -> None:
        """Alerts acknowledged earlier, as (citizen, posting, urgency epoch)."""
        citizens = np.array([self.citizens.row(citizen, partition) for citizen, _, _ in alerted], np.int64)
        postings = np.array([self.postings.row(posting) for _, posting, _ in alerted], np.int64)
        epochs = np.array([epoch for _, _, epoch in alerted], np.int32)
        self.make_room(len(alerted))
        self.pairs.used += mark_alerted(citizens, postings, epochs, self.pairs.table)

    def _until_done(self, size: int, some: Callable[[int], tuple[int, int, int]], cause: Cause) -> Rows:
        """Run a kernel until it has gone through all of `size`, making room as often as it asks."""
        matches: list[Rows] = []
        done = 0
        while done < size:
            self.make_room(max(ROOM, self.postings.cells.longest))
            done, written, self.pairs.used = some(done)
            self._out["cause"][:written] = CAUSES.index(cause)
            matches.append(self._truly_wanted(self._out[:written].copy()))
        return joined(matches)

    def _truly_wanted(self, found: Rows) -> Rows:
        """Without those whom only words can tell to be left out; they count as not told."""
        postings, doubtful = (
            self.postings.table.rows,
            kernel.doubtful(found, self.citizens.table.rows, self.postings.table.rows),
        )
        if not len(doubtful):
            return found
        keep = np.ones(len(found), np.bool_)
        for nth in doubtful.tolist():
            citizen, posting = int(found["citizen"][nth]), int(found["posting"][nth])
            keep[nth] = self._wants(citizen, posting)
            if not keep[nth]:
                slot = find_pair(self.pairs.table, citizen, posting)
                self.pairs.table["alerted"][slot] = postings["epoch"][posting] - 1
        return found[keep]

    def _wants(self, citizen: int, row: int) -> bool:
        """What the records cannot say: muted senders and topics, who is not to be told, interests without a bit of their own."""
        watch, posting = self.citizens.watches[citizen], self.postings.current[row]
        if posting is None:
            return False
        if posting.audience.not_for and veiled(posting.id, self.citizens.ids[citizen]) in posting.audience.not_for:
            return False
        if watch is None:  # its columns say it all
            return True
        theirs, ours = posting.audience.interests, watch.interests
        return not is_muted(watch, posting) and (not theirs or not ours or not set(theirs).isdisjoint(ours))

    def make_room(self, wanted: int) -> None:
        """For `wanted` more pairs, and for as many matches as one cell can give at once."""
        if len(self._out) < self.postings.cells.longest:
            self._out = np.zeros(self.postings.cells.longest * 2, MATCH)
        if self.pairs.limit - self.pairs.used < wanted:
            self.renew_pairs(wanted)

    def renew_pairs(self, wanted: int = 0) -> None:
        """A table with room for `wanted` more pairs, and for as many as there are of postings that are not closed; the others are
        forgotten. However many come and go, the table is as large as what is there asks for.
        """
        postings = self.postings.table.rows[: self.postings.table.size]
        keep, old = postings["open"] | (postings["version"] == 0), self.pairs
        self.pairs = Pairs(2 * count_pairs(old.table, keep) + wanted)
        self.pairs.used = copy_pairs(old.table, keep, self.pairs.table)

    @property
    def _stale_ms(self) -> int:
        return int(self.rules.stale_after_s * 1000)

    def _dongs(self, lat: F64, lon: F64) -> NDArray[np.int64]:
        return self._areas.of(lat, lon) if self.postings.areas else np.full(len(lat), OUTSIDE, np.int64)
