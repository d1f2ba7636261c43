"""The district in a terminal: borders and citizens as braille dots, postings as signs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from rich.text import Text

from demo.areas import rings_of

SOUTH, NORTH, WEST, EAST = 35.070, 35.262, 126.642, 126.864
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
BLANK = 0x2800
SIGNS = {"job": ("▲", "bold dark_orange"), "space": ("■", "bold green3"), "notice": ("●", "bold deep_sky_blue1")}


class Canvas:
    """So many cells wide and high, each of 2 × 4 dots; the district is fitted in with its true proportions."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        shrink = math.cos(math.radians((SOUTH + NORTH) / 2))
        self._dots = min(columns * 2 / ((EAST - WEST) * shrink), rows * 4 / (NORTH - SOUTH))
        self._shrink = shrink
        self._left = (columns * 2 - (EAST - WEST) * shrink * self._dots) / 2
        self._borders = np.zeros((rows, columns), np.int64)

    def draw_borders(self, codes: Iterable[str]) -> None:
        """Kept for every frame."""
        for code in codes:
            for ring in rings_of(code):
                for (lon1, lat1), (lon2, lat2) in pairwise(ring):
                    steps = 2 + int(math.hypot(lat2 - lat1, lon2 - lon1) * self._dots)
                    for part in np.linspace(0.0, 1.0, steps):
                        self._set(self._borders, lat1 + part * (lat2 - lat1), lon1 + part * (lon2 - lon1))

    def frame(
        self,
        citizens: Iterable[tuple[float, float]],
        postings: Iterable[tuple[str, float, float]],
        told: Iterable[tuple[float, float]],
    ) -> Text:
        """Citizens over borders, those just told in bright, postings over all."""
        dots, bright = np.zeros((self.rows, self.columns), np.int64), np.zeros((self.rows, self.columns), np.int64)
        for lat, lon in citizens:
            self._set(dots, lat, lon)
        for lat, lon in told:
            self._set(bright, lat, lon)
        signs = {cell: SIGNS[kind] for kind, lat, lon in postings if (cell := self._cell(lat, lon)) is not None}
        text = Text(no_wrap=True)
        for row in range(self.rows):
            for column in range(self.columns):
                self._append(text, (row, column), dots, bright, signs)
            text.append("\n")
        text.right_crop(1)
        return text

    def _append(
        self,
        text: Text,
        cell: tuple[int, int],
        dots: np.ndarray[tuple[int, int], np.dtype[np.int64]],
        bright: np.ndarray[tuple[int, int], np.dtype[np.int64]],
        signs: dict[tuple[int, int], tuple[str, str]],
    ) -> None:
        if bright[cell]:
            text.append(chr(BLANK + int(bright[cell] | dots[cell])), "bold bright_magenta")
        elif cell in signs:
            text.append(*signs[cell])
        elif dots[cell]:
            text.append(chr(BLANK + int(dots[cell])), "bright_white")
        else:
            text.append(chr(BLANK + int(self._borders[cell])) if self._borders[cell] else " ", "grey37")

    def _at(self, lat: float, lon: float) -> tuple[int, int]:
        x = int(self._left + (lon - WEST) * self._shrink * self._dots)
        y = int((NORTH - lat) * self._dots)
        return x, y

    def _cell(self, lat: float, lon: float) -> tuple[int, int] | None:
        x, y = self._at(lat, lon)
        inside = 0 <= x < self.columns * 2 and 0 <= y < self.rows * 4
        return (y // 4, x // 2) if inside else None

    def _set(self, dots: np.ndarray[tuple[int, int], np.dtype[np.int64]], lat: float, lon: float) -> None:
        cell = self._cell(lat, lon)
        if cell is not None:
            x, y = self._at(lat, lon)
            dots[cell] |= DOTS[y % 4][x % 2]
