"""Figures of `./dev bench matching` as tables in Markdown and a chart in SVG: `./dev bench chart` writes them into the docs.

From docs/bench/matching.json come docs/bench/matching.svg and what stands between the marks in docs/architecture/matching.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from deploy.local.home import ROOT

Row = dict[str, Any]
SOURCE, PICTURE = ROOT / "docs/bench/matching.json", ROOT / "docs/bench/matching.svg"
PAGE = ROOT / "docs/architecture/matching.md"
BEGINS, ENDS = "<!-- figures: written by ./dev bench chart -->", "<!-- end of figures -->"
WIDTH, BAR, GAP, LEFT, RIGHT = 760, 20, 8, 190, 190
COLUMNS = ("fixes_per_s", "alerts_per_s", "cpu_us_per_fix", "p99_ms", "missing", "duplicate")
OURS, THEIRS, FLOOR = "#d9480f", "#868e96", "#ced4da"
CHARTED = "w2000"


def table(rows: Sequence[Row]) -> str:
    """One line per system and workload; a figure that is not measured is a dash. Openings of postings have a table of their own."""
    moved = [row for row in rows if "opened" not in row["params"]]
    opened = [row for row in rows if "opened" in row["params"]]
    lines: list[str] = []
    if moved:
        lines += [
            "| workload | system | fixes | rounds | fixes/s | alerts/s | CPU µs/fix | p99 ms | missing | duplicate |",
            "|---|---|" + "---:|" * 8,
            *(_line([row["workload"], _named(row)], [*_sizes(row), *(row[name] for name in COLUMNS)]) for row in moved),
        ]
    if opened:
        lines += [
            *([""] if lines else []),
            "| fan-out | postings at once | ms to the last alert | p99 ms | alerts/s | missing | duplicate |",
            "|---|" + "---:|" * 6,
            *(_line([_named(row)], _opening(row)) for row in opened),
        ]
    return "\n".join(lines) + "\n"


def _named(row: Row) -> str:
    workers = row["params"].get("workers", 1)
    name = "engine" if row["system"].startswith("engine") else row["system"]
    cut = " (cut off)" if row["params"].get("cut_off") else ""
    return f"{name}, {workers} workers{cut}" if workers > 1 else name + cut


def _sizes(row: Row) -> list[float]:
    return [row["params"]["fixes"], row["params"]["rounds"]]


def _opening(row: Row) -> list[float | None]:
    names = ("p99_ms", "alerts_per_s", "missing", "duplicate")
    return [row["params"]["opened"], row["params"]["ms_to_last"], *(row[name] for name in names)]


def _line(words: list[str], figures: Sequence[float | None]) -> str:
    return "| " + " | ".join([*words, *map(_figure, figures)]) + " |"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def chart(rows: Sequence[Row], workload: str = CHARTED) -> str:
    """CPU a fix, all processes together: the shorter the better. By the root, or the slowest would leave nothing of the others."""
    some = sorted((x for x in rows if x["workload"] == workload), key=lambda x: float(x["cpu_us_per_fix"]))
    most = max(float(row["cpu_us_per_fix"]) for row in some) ** 0.5
    height = 50 + len(some) * (BAR + GAP)
    title = f"CPU µs per fix over all processes · {escape(workload)} · square-root scale"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<title>{title}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="8" y="22" font-size="15">{title}</text>',
    ]
    for nth, row in enumerate(some):
        y, us, name = 40 + nth * (BAR + GAP), float(row["cpu_us_per_fix"]), row["system"]
        width = max(2.0, us**0.5 / most * (WIDTH - LEFT - RIGHT))
        colour = OURS if name == "engine" else FLOOR if name.startswith("floor") else THEIRS
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + width + 6:.1f}" y="{y + 15}">{us:,.1f} µs · {row["fixes_per_s"]:,.0f}/s</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def written_into(page: str, rows: Sequence[Row]) -> str:
    """The page with the tables between its marks."""
    inside = re.compile(f"(?<={re.escape(BEGINS)}\n).*(?={re.escape(ENDS)})", re.DOTALL)
    return inside.sub(lambda _: f"\n{table(rows)}\n", page)


def kept() -> list[Row]:
    rows: list[Row] = json.loads(SOURCE.read_text(encoding="utf-8"))
    return rows


def main(arguments: list[str]) -> int:
    rows = kept()
    PICTURE.write_text(chart(rows), encoding="utf-8")
    PAGE.write_text(written_into(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    return 0
