"""The card as a table, as a file and as a page for a frame on somebody's site: no script, nothing asked of the reader. Pure."""

from __future__ import annotations

import base64
import csv
import hashlib
import io

from services.notices.statistics.chart import FONT, svg
from services.notices.statistics.periods import Language, label
from services.notices.statistics.table import Card, Line
from services.notices.statistics.words import KO, WORDS, origin, said, text

_STYLE = (
    f"body{{margin:0;padding:8px;font:16px/1.6 {FONT};color:#211a14;background:#fff;word-break:keep-all}}svg{{display:block;width:100%;"
    "max-width:760px;height:auto}div{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 10px;border:1px solid #8a7c6c;text-align:right;white-space:nowrap}th{background:#f6efe5;font-weight:600}"
    "tbody th,tfoot th{text-align:left}tfoot td,tfoot th{font-weight:700}"
    "caption{text-align:left;padding:6px 0;color:#62574b;white-space:normal}"
    "summary{cursor:pointer;min-height:28px;width:fit-content}p{margin:6px 0;color:#62574b}"
    ".narrow{display:none}@media(max-width:520px){.narrow{display:block}.wide{display:none}}"
    "summary:focus-visible,div:focus-visible{outline:3px solid #1d4ed8;outline-offset:2px}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Only the style above runs here, by its hash; anybody may frame it, for there is nothing to press that does anything.
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors *; sandbox"
_RUNS_IN_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


def table(card: Card, language: Language) -> str:
    """HTML with a caption and headers that say which way they are read."""
    words, about = WORDS[language], card.statistic.about
    overall = any(line.total is not None for line in card.lines)
    groups = card.statistic.groups
    names = [words["period"], *([f"{words['total']} ({about.unit})"] if overall else []), *groups]
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = "".join(_row(line, label(line.period, language), card, language, overall=overall) for line in card.lines)
    sums = "".join(
        _row(line, f"{label(line.period, language)} {words['year_sum']}", card, language, overall=overall)
        for line in card.sums
    )
    foot = f"<tfoot>{sums}</tfoot>" if sums else ""
    caption = f"{about.title} ({about.unit}) · {origin(card, language)}"
    return (
        f"<table><caption>{text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>{foot}</table>"
    )


def _row(line: Line, name: str, card: Card, language: Language, *, overall: bool) -> str:
    cells = [*([line.total] if overall else []), *(line.groups.get(group) for group in card.statistic.groups)]
    figures = "".join(f"<td>{text(said(cell, language))}</td>" for cell in cells)
    return f'<tr><th scope="row">{text(name)}</th>{figures}</tr>'


def notes(card: Card, language: Language) -> str:
    """What is withheld and why, and what the institution adds."""
    words, statistic = WORDS[language], card.statistic
    told = [words["hides"].format(least=statistic.least)] if card.hides else []
    told += [statistic.about.note] if statistic.about.note else []
    return "".join(f"<p>{text(one)}</p>" for one in told)


def table_page(card: Card, language: Language) -> str:
    body = (
        f'<div tabindex="0" role="region" aria-label="{text(card.statistic.about.title)}">{table(card, language)}</div>'
    )
    return _page(card, body + notes(card, language), language)


def embed(card: Card, language: Language) -> str:
    """The chart, and its table for whoever wants figures or cannot see."""
    name = text(WORDS[language]["table"])
    whole = f'<div tabindex="0" role="region" aria-label="{name}">{table(card, language)}</div>'
    figures = f"<details><summary>{name}</summary>{whole}</details>"
    # Of the two pictures one is shown, to eyes as to ears.
    wide, narrow = svg(card, language), svg(card, language, "narrow", suffix="n")
    both = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    return _page(card, both + figures + notes(card, language), language)


def _page(card: Card, body: str, language: Language) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{text(card.statistic.about.title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )


def table_csv(card: Card) -> str:
    """RFC 4180 with the mark by which spreadsheets know UTF-8; taken back as it is, rows of hidden figures left out by hand."""
    written = io.StringIO(newline="")
    rows = csv.writer(written)
    rows.writerow([KO["period"], KO["group"], KO["value"], KO["state"], KO["note"]])
    for line in card.lines:
        overall = [(KO["total"], line.total)] if line.total is not None else []
        for name, cell in [*overall, *line.groups.items()]:
            # A spreadsheet runs what begins with these: an apostrophe makes it text.
            safe = f"'{name}" if name.startswith(_RUNS_IN_SPREADSHEETS) else name
            value = "" if cell.value is None else f"{cell.value:f}"
            state = KO["provisional"] if cell.provisional else KO["final"]
            rows.writerow([line.period, safe, value, state, KO["hidden"] if cell.hidden else ""])
    return "\ufeff" + written.getvalue()
