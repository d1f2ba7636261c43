"""A small chart that everybody can read: SVG with a title and a description in words, nothing told by colour alone. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.notices.statistics.periods import Language, label, short_label
from services.notices.statistics.table import Card, Cell
from services.notices.statistics.words import WORDS, description, marks, origin, rounded, said, text

MOST_GROUPS = 12
EDGE, LEFT, RIGHT, TOP, PLOT = 24, 58, 24, 124, 190
ROW = 28
INK, SOFT, GRID, BAR, NEWEST = "#211a14", "#62574b", "#e6dccf", "#e3a982", "#c2410c"
FONT = "Pretendard,'Apple SD Gothic Neo','Noto Sans KR','Noto Sans CJK KR','Malgun Gothic',system-ui,sans-serif"
PATTERN = "hatch"
HATCHED = f'fill="url(#{PATTERN})"'
HATCH = (
    f'<defs><pattern id="{PATTERN}" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="7" height="7" fill="#fff"/><rect width="3.5" height="7" fill="{NEWEST}"/></pattern></defs>'
)


@dataclass(frozen=True)
class Look:
    """How wide, how many bars, how many letters of the smallest writing go into a line; with title and source, or without."""

    width: int
    bars: int
    letters: int
    headed: bool


Name = Literal["wide", "narrow", "plain"]
# narrow is for telephones; plain for pages that tell title, newest figure and source themselves.
LOOKS: Mapping[Name, Look] = {
    "wide": Look(640, 24, 106, headed=True), "narrow": Look(400, 13, 62, headed=True), "plain": Look(400, 13, 62, headed=False),
}  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """One bar: what stands below or beside it, its figure, and how it is told in words."""

    name: str
    cell: Cell
    told: str


@dataclass(frozen=True)
class Scale:
    """Values to pixels; `low` and `high` are on the axis, as are `steps`."""

    low: float
    high: float
    steps: tuple[float, ...]

    def share(self, value: float) -> float:
        """0 at the lower end, 1 at the upper."""
        return (value - self.low) / (self.high - self.low)


def svg(card: Card, language: Language, look: Name = "wide", *, suffix: str = "") -> str:
    """Bars over the newest periods; of one period alone, or where no whole is told, its groups beside each other.

    `suffix` keeps the ids of two pictures in one page apart.
    """
    how = LOOKS[look]
    overall = [line for line in card.lines if line.total is not None][-how.bars :]
    newest = card.lines[-1]
    if len(overall) > 1 or not newest.groups:
        points = [(line.period, line.total) for line in overall if line.total is not None]
        body, end = _columns(points, language, how.width), TOP + PLOT + 44
    else:
        groups = [Mark(group, cell, "") for group, cell in newest.groups.items()][:MOST_GROUPS]
        body, end = _rows(groups, language, how.width), TOP + ROW * len(groups) + 8
    told = (marks(card, language), origin(card, language) if how.headed else "")
    foot = [cut(line, how.letters) for line in told if line]
    end += 10 + 19 * len(foot)
    feet = "".join(_written(EDGE, end - 14 - 19 * n, line, 11.5, SOFT) for n, line in enumerate(reversed(foot)))
    head, top = (_head(card, language, how.letters), 0) if how.headed else ("", TOP - 24)
    t, d = f"t{suffix}", f"d{suffix}"
    hatch, body = HATCH.replace(PATTERN, PATTERN + suffix), body.replace(HATCHED, f'fill="url(#{PATTERN}{suffix})"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top} {how.width} {end - top}" role="img" aria-labelledby="{t} {d}" '
        f'lang="{language}" font-family="{FONT}" fill="{INK}"><title id="{t}">{text(card.statistic.about.title)}</title>'
        f'<desc id="{d}">{text(description(card, language))}</desc>{hatch}<rect y="{top}" width="{how.width}" height="{end - top}" '
        f'fill="#fff"/>{head}{body}{feet}</svg>'
    )


def _head(card: Card, language: Language, letters: int) -> str:
    """The title, and the newest figure large."""
    about, words = card.statistic.about, WORDS[language]
    left = EDGE
    head = _written(left, 36, cut(about.title, letters // 2), 19, INK, weight=700)
    if card.headline is None:
        return head + _written(left, 78, about.unit, 14, SOFT)
    period, cell = card.headline
    notes = [label(period, language)] + ([words["provisional"]] if cell.provisional else [])
    if card.statistic.edited_at is not None:
        notes.append(words["edited"])
    if cell.value is None:
        return (
            head
            + _written(left, 82, words["no_value"], 18, INK, weight=700)
            + _written(left, 106, " · ".join(notes), 13, SOFT)
        )
    figure = said(Cell(cell.value), language)
    unit = f'<tspan font-size="17" dx="6">{text(about.unit)}</tspan>'
    big = f'<text x="{left}" y="84" font-size="34" font-weight="800">{text(figure)}{unit}</text>'
    return head + big + _written(left, 106, " · ".join(notes), 13, SOFT)


def _columns(points: Sequence[tuple[str, Cell]], language: Language, width: int) -> str:
    scale = scale_of([float(cell.value) for _, cell in points if cell.value is not None])
    step = (width - LEFT - RIGHT) / len(points)
    told = max((n for n, (_, cell) in enumerate(points) if cell.value is not None), default=-1)
    steps = scale.steps if told >= 0 else (0.0,)
    body = "".join(_line_at(TOP + PLOT * (1 - scale.share(at)), at, language, width) for at in steps)
    for n, (period, cell) in enumerate(points):
        words = f"{label(period, language)}: {said(cell, language)}"
        body += _column(Mark(period, cell, words), LEFT + n * step, step, scale, newest=n == told)
        if cell.value is not None and (n == told or len(points) <= 8):
            up = TOP + PLOT * (1 - scale.share(float(cell.value))) + (16 if cell.value < 0 else -6)
            body += _written(
                LEFT + (n + 0.5) * step, up, said(Cell(cell.value), language), 12, INK, anchor="middle", weight=700
            )
    return body + _names(points, step, language)


def _line_at(y: float, at: float, language: Language, width: int) -> str:
    colour = SOFT if at == 0 else GRID
    line = f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>'
    return line + _written(LEFT - 8, y + 4, rounded(at, language), 11.5, SOFT, anchor="end")


def _column(mark: Mark, x: float, step: float, scale: Scale, *, newest: bool) -> str:
    width = min(step * 0.68, 56)
    left, zero = x + (step - width) / 2, TOP + PLOT * (1 - scale.share(0))
    if mark.cell.value is None:
        return _box(left, zero - 26, width, 26, mark)
    end = TOP + PLOT * (1 - scale.share(float(mark.cell.value)))
    return _bar(left, min(zero, end), width, max(abs(zero - end), 1), mark, newest=newest)


def _bar(x: float, y: float, width: float, height: float, mark: Mark, *, newest: bool) -> str:
    fill = HATCHED if mark.cell.provisional else f'fill="{NEWEST if newest else BAR}"'
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {fill} stroke="{NEWEST}">'
        f"<title>{text(mark.told)}</title></rect>"
    )


def _box(x: float, y: float, width: float, height: float, mark: Mark) -> str:
    """A figure that is not shown: an outline as tall as every other such."""
    look = f'fill="none" stroke="{SOFT}" stroke-width="1.5" stroke-dasharray="4 3"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {look}><title>{text(mark.told)}</title></rect>'


def _names(points: Sequence[tuple[str, Cell]], step: float, language: Language) -> str:
    """As many names as there is room for; the year where it begins."""
    every = math.ceil(44 / step)
    shown = [n for n in range(len(points)) if (len(points) - 1 - n) % every == 0]
    body, year = "", ""
    for n in shown:
        period, middle = points[n][0], LEFT + (n + 0.5) * step
        body += _written(middle, TOP + PLOT + 18, short_label(period, language), 12, SOFT, anchor="middle")
        if "-" in period and period[:4] != year:
            body += _written(middle, TOP + PLOT + 34, period[:4], 11.5, SOFT, anchor="middle")
        year = period[:4]
    return body


def _rows(marks: Sequence[Mark], language: Language, width: int) -> str:
    values = [float(mark.cell.value) for mark in marks if mark.cell.value is not None]
    low, high = min([*values, 0.0]), max([*values, 0.0])
    scale = Scale(low, high if high > low else low + 1, ())
    left = EDGE + width // 4
    room = width - RIGHT - 90 - left
    body, zero = "", left + room * scale.share(0)
    for n, mark in enumerate(marks):
        y, told = TOP + n * ROW, said(mark.cell, language)
        whole = Mark(mark.name, mark.cell, f"{mark.name}: {told}")
        body += _written(left - 10, y + 16, cut(mark.name, width // 32), 13, INK, anchor="end")
        if mark.cell.value is None:
            body += _box(left, y + 3, 60, ROW - 10, whole) + _written(left + 68, y + 16, told, 12, SOFT)
            continue
        end = left + room * scale.share(float(mark.cell.value))
        body += _bar(min(zero, end), y + 3, max(abs(end - zero), 1), ROW - 10, whole, newest=False)
        body += _written(max(zero, end) + 8, y + 16, said(Cell(mark.cell.value), language), 12, INK, weight=700)
    return body


def scale_of(values: Sequence[float]) -> Scale:
    """From 0, or below where a value is, in steps of 1, 2 or 5 of a power of ten."""
    low, high = min([*values, 0.0]), max([*values, 0.0])
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * n for n in (1, 2, 5, 10) if power * n * 4.0001 >= span)
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step) + 1)
    steps = tuple(n * step for n in range(first, last + 1))
    return Scale(steps[0], steps[-1], steps)


def _written(
    x: float, y: float, words: str, size: float, fill: str, *, anchor: str = "start", weight: int = 400
) -> str:
    more = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (
        f' font-weight="{weight}"' if weight != 400 else ""
    )
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{more}>{text(words)}</text>'


def cut(words: str, most: int) -> str:
    """What fits: letters of Korean are twice as wide."""
    kept, width = "", 0
    for letter in words:
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > most:
            return kept.rstrip() + "…"
        kept += letter
    return kept
