"""Figures of `./dev bench matching` as a table in Markdown and a chart in SVG: `python -m tests.bench.chart IN.json OUT.svg`."""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

WIDTH, BAR, GAP, LEFT, RIGHT = 760, 20, 8, 190, 190
COLUMNS = ("fixes_per_s", "alerts_per_s", "cpu_us_per_fix", "p50_ms", "p99_ms", "missing", "duplicate")
OURS, THEIRS = "#d9480f", "#868e96"


def table(lines: list[dict[str, Any]]) -> str:
    """One row per system and workload; a figure that was not measured is a dash."""
    head = (
        "| workload | system | fixes/s | alerts/s | CPU µs/fix | p50 ms | p99 ms | missing | duplicate |\n|---|---|"
        + "---:|" * 7
    )
    rows = [
        f"| {line['workload']} | {line['system']} | " + " | ".join(_figure(line.get(name)) for name in COLUMNS) + " |"
        for line in lines
        if "one" not in line
    ]
    opened = [line for line in lines if "one" in line]
    if opened:
        rows += ["", "| fan-out | one posting, ms | alerts | 200 at once, ms | alerts |", "|---|---:|---:|---:|---:|"]
        rows += [
            f"| {line['system']} | "
            + " | ".join(_figure(line[n][f]) for n in ("one", "burst") for f in ("ms", "alerts"))
            + " |"
            for line in opened
        ]
    return "\n".join([head, *rows]) + "\n"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def chart(lines: list[dict[str, Any]], workload: str) -> str:
    """CPU a fix, all processes together: the shorter the better."""
    some = sorted((x for x in lines if x["workload"] == workload), key=lambda x: float(x["cpu_us_per_fix"]))
    most = max(float(line["cpu_us_per_fix"]) for line in some)
    height = 50 + len(some) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<title>CPU µs per fix, {escape(workload)}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="8" y="22" font-size="15">CPU µs per fix over all processes · {escape(workload)}</text>',
    ]
    for nth, line in enumerate(some):
        y, us = 40 + nth * (BAR + GAP), float(line["cpu_us_per_fix"])
        width = max(2.0, us / most * (WIDTH - LEFT - RIGHT))
        colour = OURS if line["system"] == "engine" else THEIRS
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(line["system"])}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + width + 6:.1f}" y="{y + 15}">{us:,.1f} µs · {line["fixes_per_s"]:,.0f}/s</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(source: Path, out: Path, workload: str = "w2000") -> None:
    lines = json.loads(source.read_text())
    out.write_text(chart(lines, workload))
    sys.stdout.write(table(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
