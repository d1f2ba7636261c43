"""Postings as the engine holds them: the contract for words, columns for numbers, and the cells that each shape touches."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import numpy as np

from services.matching.engine.bits import KIND_BITS, InterestBits, to_ms, to_us
from services.matching.engine.kept import Kept
from services.matching.engine.residents import Addresses, indices_of
from services.matching.engine.tables import (
    ALWAYS_MS,
    I64,
    NEVER_MS,
    NEW_POSTING,
    NEW_SHAPE,
    POSTING,
    SHAPE,
    Cells,
    Table,
)
from services.matching.engine.zones import ROUGHLY_M
from shared.clock import SEOUL
from shared.contracts import Posting
from shared.geo import EARTH_M, District, covering_circle

Near = tuple[float, float, float, float, int]  # a row of NEAR
ROUNDED_M = 4.0


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
        self.current = Kept()
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

    def of(self, posting_id: UUID) -> Posting | None:
        """Its newest state, None if it was never heard of."""
        row = self._rows.get(posting_id)
        return None if row is None else self.current[row]

    def put(self, posting: Posting, now: datetime) -> tuple[int, bool] | None:
        """Take over a posting's state: its row and whether all citizens come to it anew; None if older than known."""
        row, columns = self.row(posting.id), self.table.rows
        if columns["version"][row] >= posting.version:
            return None
        known = self.current[row]
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
                # Later than now even where the step and now share a millisecond, or `widened` would never end.
                heapq.heappush(self._steps, (max(to_ms(due), to_ms(now) + 1), row, posting.version))

    def circles_and_areas(self, rows: Iterable[int]) -> tuple[I64, list[tuple[int, list[int]]]]:
        """The shapes of these postings: circles, and areas with the cells that they touch."""
        placed = [shape for row in rows for shape in self._shapes_of.get(row, [])]
        radii = self.shapes.rows["radius_m"]
        circles = [shape for shape, _ in placed if radii[shape] > 0]
        return np.array(circles, np.int64), [(shape, cells) for shape, cells in placed if radii[shape] <= 0]

    def _place(self, row: int, posting: Posting, now: datetime) -> None:
        """The cells are those of the widest step and its exit rim: there is nothing to add when a circle grows."""
        placed = []
        for circle in posting.where.circles:
            radius_m = posting.widens.radius_m(circle.radius_m, now) if posting.widens else circle.radius_m
            widest_m = max(circle.radius_m, *posting.widens.steps_m) if posting.widens else circle.radius_m
            placed.append(self._circle(row, circle.lat, circle.lon, radius_m, widest_m))
        if posting.where.dongs:
            placed.append(self._area(row, posting.where.dongs))
        for near, cells in placed:
            self.cells.add(cells, near)
        self._shapes_of[row] = [(near[-1], cells) for near, cells in placed]

    def _circle(self, row: int, lat: float, lon: float, radius_m: int, widest_m: int) -> tuple[Near, list[int]]:
        shape = self.shapes.add()
        shapes = self.shapes.rows
        shapes["posting"][shape], shapes["dongs"][shape] = row, 0
        shapes["lat"][shape], shapes["lon"][shape], shapes["radius_m"][shape] = lat, lon, radius_m
        rim_m, cos_lat = max(1.1 * widest_m, widest_m + 20.0), math.cos(math.radians(lat))
        shapes["cos_lat"][shape] = cos_lat
        # The first glance takes the cosine at the citizen for that halfway.
        bent_m = rim_m * rim_m / (EARTH_M * max(cos_lat, 0.05))
        return (lat, lon, rim_m + bent_m + ROUNDED_M, radius_m - ROUGHLY_M, shape), covering_circle(lat, lon, rim_m)

    def _area(self, row: int, codes: tuple[str, ...]) -> tuple[Near, list[int]]:
        known = indices_of(codes, self._district)
        shape = self.shapes.add()
        shapes = self.shapes.rows
        shapes["posting"][shape], shapes["radius_m"][shape] = row, 0.0
        shapes["dongs"][shape] = sum(1 << index for index in known)
        self.areas += 1
        cells = {cell for index in known for cell in self._district.dongs[index].cells}
        return (0.0, 0.0, math.inf, 0.0, shape), sorted(cells)

    def _unplace(self, row: int) -> None:
        for shape, cells in self._shapes_of.pop(row, []):
            for cell in cells:
                self.cells.remove(cell, shape)
            self.areas -= self.shapes.rows["radius_m"][shape] == 0
            self.shapes.rows["posting"][shape] = -1
            self.shapes.give_back(shape)
