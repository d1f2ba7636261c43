"""Citizens as the engine holds them: columns for numbers, the watch itself only where words are needed."""

from __future__ import annotations

import heapq
from datetime import datetime

import numpy as np

from services.matching.engine.bits import KIND_BITS, InterestBits, to_ms, to_us
from services.matching.engine.fixes import Fixes
from services.matching.engine.names import Names
from services.matching.engine.residents import Residents
from services.matching.engine.standing import Standing
from services.matching.engine.tables import ALWAYS_MS, ANEW, CITIZEN, NEVER_MS, NEW_CITIZEN, Table
from services.matching.watches.domain import free_spans, has_windows
from shared.contracts import Posting, Watch
from shared.geo import District

ANY_RADIUS_M = 1e9


class CitizenBook:
    """Citizens by id, their watches, and the moments at which a window of theirs begins or ends.

    A watch is kept as an object only where it holds words; columns say all of the others.
    """

    def __init__(self, bits: InterestBits, district: District) -> None:
        self.table = Table(CITIZEN, NEW_CITIZEN)
        self.residents = Residents(self.table, district)
        self.standing = Standing(self.table)
        self.ids = Names()
        self.watches: list[Watch | None] = []
        self._bits = bits
        self._timers: list[tuple[int, int, int]] = []

    def row(self, citizen_id: str, partition: int) -> int:
        """The citizen's row, made if new. `partition` is that of locations.v1, by which workers share citizens."""
        row = self.ids.row(citizen_id)
        if row < 0:
            row = self.table.add()
            self.ids.add(citizen_id)
            self.watches.append(None)
            self.table.rows["partition"][row] = partition
        return row

    def look_up(self, fixes: Fixes) -> None:
        """Fill in the citizen of each fix; who is new gets a row."""
        for nth in self.ids.rows_of(fixes.text, fixes.rows):
            fix = fixes.rows[nth]
            name = fixes.text[fix["id_at"] :][: fix["id_length"]].tobytes().decode()
            fix["citizen"] = self.row(name, int(fix["partition"]))

    def put(self, watch: Watch, partition: int, now: datetime) -> int | None:
        """Take over a citizen's settings; None if they are older than those known."""
        row, columns = self.row(watch.citizen_id, partition), self.table.rows
        if columns["version"][row] >= watch.version:
            return None
        wordy = bool(watch.interests or watch.quiet or has_windows(watch))
        picky = bool(watch.muted_channels or watch.muted_postings or watch.muted_topics)
        self.watches[row] = watch if wordy or picky else None
        columns["version"][row], columns["changed_us"][row] = watch.version, to_us(watch.changed_at)
        columns["wordy"][row], columns["picky"][row] = wordy, picky
        before = self._what_is_wanted(row)
        columns["kinds"][row] = 0 if watch.paused else sum(KIND_BITS[kind] for kind in watch.kinds)
        columns["interests"][row] = self._bits.mask(watch.interests)
        columns["radius_m"][row] = watch.radius_m or ANY_RADIUS_M
        columns["birth_year"][row] = watch.birth_year or 0
        columns["consent_epoch"][row] = watch.consent_epoch
        columns["located"][row] = watch.located
        if self._what_is_wanted(row) != before:
            columns["fix_count"][row] += ANEW
        taken_under = int(columns["fix_epoch"][row])
        if taken_under < watch.consent_epoch or (taken_under == watch.consent_epoch and not watch.located):
            self.forget_position(row)
        self.residents.put(row, watch)
        self._set_window(row, watch, now)
        return row

    def _what_is_wanted(self, row: int) -> list[int | float]:
        """Whoever changes one of these comes anew: fixes were not held against all postings by the new settings."""
        names = ("kinds", "interests", "radius_m", "birth_year", "consent_epoch", "located")
        return [self.table.rows[name][row].item() for name in names]

    def _set_window(self, row: int, watch: Watch, now: datetime) -> None:
        columns = self.table.rows
        if not has_windows(watch):
            columns["free_from_ms"][row], columns["free_until_ms"][row] = NEVER_MS, ALWAYS_MS
            return
        spans = free_spans(watch, now)
        if not spans:
            columns["free_from_ms"][row], columns["free_until_ms"][row] = ALWAYS_MS, ALWAYS_MS
            return
        starts_ms, ends_ms = to_ms(spans[0].starts_at), to_ms(spans[0].ends_at)
        columns["free_from_ms"][row], columns["free_until_ms"][row] = starts_ms, ends_ms
        # Later than now even where the span's end and now share a millisecond, or this would never end.
        due_ms = starts_ms if to_ms(now) < starts_ms else max(ends_ms, to_ms(now) + 1)
        heapq.heappush(self._timers, (due_ms, row, watch.version))

    def windows_begun(self, now: datetime) -> list[int]:
        """Citizens whose window began (or whose next one was set) since the last call."""
        begun, now_ms = [], to_ms(now)
        while self._timers and self._timers[0][0] <= now_ms:
            _, row, version = heapq.heappop(self._timers)
            watch = self.watches[row]
            if watch is not None and watch.version == version:
                self._set_window(row, watch, now)
                begun.append(row)
        return begun

    def forget_position(self, row: int) -> None:
        """Nowhere, and no longer present anywhere; what was alerted stays known."""
        columns = self.table.rows
        columns["lat"][row] = columns["lon"][row] = np.nan
        columns["observed_ms"][row] = NEVER_MS
        columns["dong"][row] = -1
        columns["fix_count"][row] += ANEW
        self.standing.moved(np.array([row], np.int64))

    def forget_partition(self, partition: int) -> None:
        """Another worker has these citizens now."""
        for row in np.flatnonzero(self.table.rows["partition"][: self.table.size] == partition):
            self.forget_position(int(row))
            self.residents.drop(int(row))
            self.table.rows["kinds"][row] = self.table.rows["version"][row] = 0
            self.watches[row] = None


def is_muted(watch: Watch, posting: Posting) -> bool:
    """By its sender, a topic of its, or itself; an emergency is heard all the same (N3)."""
    audience = posting.audience
    named = audience.channel in watch.muted_channels or posting.id in watch.muted_postings
    return not posting.emergency and (named or not set(audience.interests).isdisjoint(watch.muted_topics))
