"""Watches and postings as the engine holds them: the contract for words, the columns for numbers."""

from __future__ import annotations

import heapq
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from services.matching.engine.fixes import Fixes
from services.matching.engine.names import Names
from services.matching.engine.residents import Addresses, Residents, indices_of
from services.matching.engine.tables import (
    ALWAYS_MS,
    ANEW,
    CITIZEN,
    NEVER_MS,
    NEW_CITIZEN,
    NEW_POSTING,
    NEW_SHAPE,
    POSTING,
    SHAPE,
    Cells,
    Table,
)  # fmt: skip
from services.matching.watches.domain import free_spans, has_windows
from shared.clock import SEOUL
from shared.contracts import Posting, Watch
from shared.geo import District, covering_circle

KIND_BITS = {"job": 1, "space": 2, "notice": 4}
SHARED_BIT = 62
ANY_RADIUS_M = 1e9
START = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def to_us(at: datetime) -> int:
    return (at - START) // timedelta(microseconds=1)


class InterestBits:
    """A bit for each interest; from the 63rd on they share the last, and sets must be compared too."""

    def __init__(self) -> None:
        self._bit: dict[str, int] = {}

    def mask(self, interests: tuple[str, ...]) -> int:
        result = 0
        for interest in interests:
            result |= 1 << min(SHARED_BIT, self._bit.setdefault(interest, len(self._bit)))
        return result


class CitizenBook:
    """Citizens by id, their watches, and the moments at which a window of theirs begins or ends.

    A watch is kept as an object only where it holds words; columns say all of the others.
    """

    def __init__(self, bits: InterestBits, district: District) -> None:
        self.table = Table(CITIZEN, NEW_CITIZEN)
        self.residents = Residents(self.table, district)
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


def _over(posting: Posting, now: datetime) -> bool:
    return posting.status == "closed" or posting.expires_at <= now


def _whom_and_where(posting: Posting) -> tuple[object, ...]:
    return posting.where, posting.widens, posting.kind, posting.audience, posting.starts_at


class PostingBook:
    """Postings by id and where they are: shapes, and the cells that each shape touches."""

    def __init__(self, bits: InterestBits, district: District) -> None:
        self.table = Table(POSTING, NEW_POSTING)
        self.shapes = Table(SHAPE, NEW_SHAPE)
        self.cells = Cells()
        self.current: list[Posting | None] = []
        self.areas = 0
        self._rows: dict[UUID, int] = {}
        self._shapes_of: dict[int, list[tuple[int, list[int]]]] = {}
        self._steps: list[tuple[int, int, int]] = []
        self._expiries: list[tuple[int, int, int]] = []
        self.addresses = Addresses(district)
        self._bits, self._district = bits, district

    def row(self, posting_id: UUID) -> int:
        row = self._rows.get(posting_id)
        if row is None:
            row = self.table.add()
            self._rows[posting_id] = row
            self.current.append(None)
        return row

    def put(self, posting: Posting, now: datetime) -> tuple[int, bool] | None:
        """Take over a posting's state: its row and whether all citizens come to it anew; None if older than known."""
        row, columns = self.row(posting.id), self.table.rows
        known = self.current[row]
        if known is not None and known.version >= posting.version:
            return None
        anew = known is not None and (_over(known, now) or _whom_and_where(known) != _whom_and_where(posting))
        self.current[row] = posting
        self.addresses.put(row, posting)
        columns["version"][row], columns["changed_us"][row] = posting.version, to_us(posting.changed_at)
        columns["excluding"][row], columns["widens"][row] = bool(posting.audience.not_for), posting.widens is not None
        columns["open"][row] = posting.status == "open"
        columns["kind"][row] = KIND_BITS[posting.kind]
        columns["epoch"][row] = posting.urgency_epoch
        columns["interests"][row] = self._bits.mask(posting.audience.interests)
        columns["min_age"][row] = posting.audience.min_age or 0
        columns["starts_ms"][row] = to_ms(posting.starts_at) if posting.starts_at else NEVER_MS
        columns["ends_ms"][row] = to_ms(ends_at) if (ends_at := posting.ends_at or posting.starts_at) else ALWAYS_MS
        columns["expires_ms"][row] = to_ms(posting.expires_at)
        columns["starts_year"][row] = (posting.starts_at or posting.changed_at).astimezone(SEOUL).year
        if posting.status == "closed" or anew:
            self._unplace(row)
        if posting.status == "open" and row not in self._shapes_of:
            self._place(row, posting, now)
        self._await_step(row, posting, now)
        if posting.status == "open":
            heapq.heappush(self._expiries, (to_ms(posting.expires_at), row, posting.version))
        return row, anew

    def expired(self, now: datetime) -> list[Posting]:
        """Postings whose time ended since the last call; their cells no longer know them."""
        over, now_ms = [], to_ms(now)
        while self._expiries and self._expiries[0][0] <= now_ms:
            _, row, version = heapq.heappop(self._expiries)
            posting = self.current[row]
            if posting is not None and posting.version == version and posting.status == "open":
                self._unplace(row)
                self.addresses.drop(row)
                over.append(posting)
        return over

    def widened(self, now: datetime) -> list[int]:
        """Postings whose circles grew since the last call (J5)."""
        grown, now_ms = [], to_ms(now)
        while self._steps and self._steps[0][0] <= now_ms:
            _, row, version = heapq.heappop(self._steps)
            posting = self.current[row]
            if posting is None or posting.version != version or posting.widens is None:
                continue
            for (shape, _), circle in zip(self._shapes_of.get(row, []), posting.where.circles, strict=False):
                self.shapes.rows["radius_m"][shape] = posting.widens.radius_m(circle.radius_m, now)
            grown.append(row)
            self._await_step(row, posting, now)
        return grown

    def _await_step(self, row: int, posting: Posting, now: datetime) -> None:
        if posting.status == "open" and posting.widens is not None:
            due = posting.widens.next_step_at(now)
            if due is not None:
                heapq.heappush(self._steps, (to_ms(due), row, posting.version))

    def shapes_of(self, row: int) -> list[int]:
        return [shape for shape, _ in self._shapes_of.get(row, [])]

    def _place(self, row: int, posting: Posting, now: datetime) -> None:
        """The cells are those of the widest step and its exit rim: there is nothing to add when a circle grows."""
        placed = []
        for circle in posting.where.circles:
            radius_m = posting.widens.radius_m(circle.radius_m, now) if posting.widens else circle.radius_m
            widest_m = max(circle.radius_m, *posting.widens.steps_m) if posting.widens else circle.radius_m
            placed.append(self._circle(row, circle.lat, circle.lon, radius_m, widest_m))
        if posting.where.dongs:
            placed.append(self._area(row, posting.where.dongs))
        for shape, cells in placed:
            for cell in cells:
                self.cells.add(cell, shape)
        self._shapes_of[row] = placed

    def _circle(self, row: int, lat: float, lon: float, radius_m: int, widest_m: int) -> tuple[int, list[int]]:
        shape = self.shapes.add()
        shapes = self.shapes.rows
        shapes["posting"][shape], shapes["dongs"][shape] = row, 0
        shapes["lat"][shape], shapes["lon"][shape], shapes["radius_m"][shape] = lat, lon, radius_m
        shapes["cos_lat"][shape] = math.cos(math.radians(lat))
        return shape, covering_circle(lat, lon, max(1.1 * widest_m, widest_m + 20.0))

    def _area(self, row: int, codes: tuple[str, ...]) -> tuple[int, list[int]]:
        known = indices_of(codes, self._district)
        shape = self.shapes.add()
        shapes = self.shapes.rows
        shapes["posting"][shape], shapes["radius_m"][shape] = row, 0.0
        shapes["dongs"][shape] = sum(1 << index for index in known)
        self.areas += 1
        return shape, sorted({cell for index in known for cell in self._district.dongs[index].cells})

    def _unplace(self, row: int) -> None:
        for shape, cells in self._shapes_of.pop(row, []):
            for cell in cells:
                self.cells.remove(cell, shape)
            self.areas -= self.shapes.rows["radius_m"][shape] == 0
            self.shapes.rows["posting"][shape] = -1
            self.shapes.give_back(shape)
