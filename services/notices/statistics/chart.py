"""A small chart that everybody can read: SVG with a title and a description in words, and the same as a table. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from services.notices.statistics.domain import Line, Statistic, headline, said

MOST_BARS = 24
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 320, 16, 56, 40
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: str) -> str:
    return escape(_UNWRITABLE.sub("", value))


def description(statistic: Statistic, lines: Sequence[Line], least: int) -> str:
    """What the chart shows, in words."""
    newest = headline(lines)
    latest = f"{newest[0]} {said(newest[1], least)} {statistic.about.unit}" if newest is not None else "값 없음"
    first, last = lines[0].period, lines[-1].period
    source = f"출처 {statistic.about.source}, {statistic.as_of} 기준."
    return f"{statistic.about.title}. {first}부터 {last}까지 {len(lines)}개 기간. 최근 {latest}. {source}"


def svg(statistic: Statistic, lines: Sequence[Line], least: int) -> str:
    """Bars of the newest periods, each with its figure in words; what is hidden is a dashed outline, not only a colour."""
    shown = list(lines)[-MOST_BARS:]
    values = [float(line.total.value) for line in shown if line.total.value is not None]
    top, low = max([*values, 0.0]), min([*values, 0.0])
    scale = (HEIGHT - TOP - BOTTOM) / ((top - low) or 1.0)
    zero, step = TOP + top * scale, (WIDTH - 2 * LEFT) / len(shown)
    bars = "".join(
        _bar(line, LEFT + n * step, step, zero, scale, statistic.about.unit, least) for n, line in enumerate(shown)
    )
    labels = "".join(
        _label(shown[n].period, LEFT + (n + 0.5) * step) for n in sorted({0, len(shown) // 2, len(shown) - 1})
    )
    newest = headline(lines)
    big = f"{said(newest[1], least)} {statistic.about.unit} ({newest[0]})" if newest is not None else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d" '
        f'font-family="system-ui,sans-serif"><title id="t">{_text(statistic.about.title)}</title>'
        f'<desc id="d">{_text(description(statistic, lines, least))}</desc><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="18" font-weight="700" fill="#1a1a1a">{_text(statistic.about.title)}</text>'
        f'<text x="{LEFT}" y="46" font-size="15" fill="#1a1a1a">{_text(big)}</text>{bars}'
        f'<line x1="{LEFT}" x2="{WIDTH - LEFT}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="#1a1a1a"/>{labels}</svg>\n'
    )


def _bar(line: Line, x: float, step: float, zero: float, scale: float, unit: str, least: int) -> str:
    told = f"<title>{_text(f'{line.period}: {said(line.total, least)} {unit}')}</title>"
    left, width = x + step * 0.15, step * 0.7
    if line.total.value is None:
        hollow = 'fill="none" stroke="#1a1a1a" stroke-dasharray="3 3"'
        return f'<rect x="{left:.1f}" y="{zero - 14:.1f}" width="{width:.1f}" height="14" {hollow}>{told}</rect>'
    high = float(line.total.value) * scale
    top, tall = min(zero, zero - high), abs(high)
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="#0b57d0">{told}</rect>'


def _label(period: str, middle: float) -> str:
    at = min(max(middle, LEFT + 30), WIDTH - LEFT - 30)
    return f'<text x="{at:.1f}" y="{HEIGHT - 14}" font-size="13" text-anchor="middle" fill="#1a1a1a">{_text(period)}</text>'


def table(statistic: Statistic, lines: Sequence[Line], least: int) -> str:
    """The same figures as an HTML table, with everything that was counted apart."""
    groups = sorted({name for line in lines for name in line.groups})
    heads = "".join(
        f'<th scope="col">{_text(name)}</th>' for name in ["기간", f"전체 ({statistic.about.unit})", *groups]
    )
    rows = "".join(
        f'<tr><th scope="row">{_text(line.period)}</th><td>{_text(said(line.total, least))}</td>'
        + "".join(f"<td>{_text(said(line.groups[g], least)) if g in line.groups else '–'}</td>" for g in groups)
        + "</tr>"
        for line in lines
    )
    caption = (
        f"{statistic.about.title} · 출처 {statistic.about.source} · {statistic.as_of} 기준 · 제{statistic.version}판"
    )
    return f"<table><caption>{_text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def embed(statistic: Statistic, lines: Sequence[Line], least: int) -> str:
    """A page of its own for a frame on somebody's site: the chart, and the table for whoever wants figures."""
    style = (
        "body{margin:0;font:1rem/1.6 system-ui,sans-serif;color:#1a1a1a;background:#fff}svg{width:100%;height:auto}"
        "table{border-collapse:collapse}th,td{padding:.25rem .5rem;border:1px solid #767676;text-align:right}caption{text-align:left}"
    )
    chart, figures = svg(statistic, lines, least), table(statistic, lines, least)
    return (
        f'<!doctype html><html lang="ko"><head><meta charset="utf-8"><title>{_text(statistic.about.title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{style}</style></head><body>'
        f"{chart}<details><summary>표로 보기 As a table</summary>{figures}</details></body></html>"
    )
