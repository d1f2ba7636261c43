"""The monthly statement: CSV for a spreadsheet, HTML for the printer. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from shared.clock import SEOUL

HEADER = ("근무일 day", "일 work", "장소 place", "기관 institution", "분 minutes", "보수 KRW", "비고 note")
STYLE = (
    "body{font:12pt/1.5 sans-serif;margin:2rem}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #999;padding:.3rem .5rem;text-align:left}.n{text-align:right}"
    "@media print{body{margin:0}button{display:none}}"
)


@dataclass(frozen=True)
class StatementLine:
    """One line as it is shown."""

    starts_at: datetime
    headline: str
    place: str
    institution: str
    minutes: int
    pay_krw: int
    note: str

    def cells(self) -> tuple[str, ...]:
        day = f"{self.starts_at.astimezone(SEOUL):%Y-%m-%d}"
        return day, self.headline, self.place, self.institution, str(self.minutes), str(self.pay_krw), self.note


def _inert(cell: str) -> str:
    """A spreadsheet would run what begins like a formula; a plain number is none."""
    is_number = cell.lstrip("-").isdigit()
    return f"'{cell}" if cell[:1] in "=+-@\t\r" and not is_number else cell


def as_csv(lines: Sequence[StatementLine]) -> bytes:
    """UTF-8 with a byte order mark, by which spreadsheets know Korean."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows([_inert(cell) for cell in line.cells()] for line in lines)
    minutes, krw = totals(lines)
    writer.writerow(("합계 total", "", "", "", minutes, krw, ""))
    return out.getvalue().encode("utf-8-sig")


def as_html(title: str, lines: Sequence[StatementLine]) -> str:
    """One page that prints as it is seen; nothing is fetched from anywhere."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEADER)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line.cells()) + "</tr>" for line in lines)
    minutes, krw = totals(lines)
    foot = f'<tr><th colspan="4" scope="row">합계 total</th><td>{minutes}</td><td>{krw}</td><td></td></tr>'
    return (
        f'<!doctype html><html lang="ko"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head><body><h1>{escape(title)}</h1><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        f"<tfoot>{foot}</tfoot></table></body></html>"
    )


def totals(lines: Sequence[StatementLine]) -> tuple[int, int]:
    return sum(line.minutes for line in lines), sum(line.pay_krw for line in lines)
