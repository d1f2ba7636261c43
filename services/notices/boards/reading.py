"""What a board sent, as items: RSS and Atom, good or nearly so, and 재난문자. Hostile until shown otherwise. Pure."""

from __future__ import annotations

import io
import json
import re
from calendar import timegm
from datetime import UTC, datetime
from typing import Any

import feedparser
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from services.notices.boards.charsets import as_text
from services.notices.boards.domain import Item, Kind, each_once, made_item
from shared.clock import SEOUL
from shared.rules import Refused

MOST_ITEMS = 500
LOOSELY_AT_MOST = 512_000  # what is no XML is guessed at, which takes long: only where it is short
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(\[[^\]]*\])?[^>]*>", re.IGNORECASE)
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
URGENT_STEPS = ("위급재난", "긴급재난")
WHOLE_CITY = ("광주광역시 전체", "전남광주통합특별시 전체", "전남광주통합특별시 광주 전체")


def items_of(raw: bytes, kind: Kind, now: datetime, content_type: str = "") -> list[Item]:
    """Each item once, in the order they came. Raises Refused for what is none of it."""
    text = as_text(raw, content_type)
    found = _of_feed(text, now) if kind == "feed" else _of_disasters(text, now)
    return each_once(found)[:MOST_ITEMS]


def _of_feed(text: str, now: datetime) -> list[Item]:
    if _HTML.match(text):
        raise Refused(
            "file", "source-html", "게시판이 피드가 아니라 웹 페이지를 보냈습니다 / a page came instead of a feed"
        )
    if "<!entity" in text.lower():
        raise Refused("file", "xml-entity", "XML that declares entities is not read")
    text = _DOCTYPE.sub("", text, count=1)
    try:
        ElementTree.fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        raise Refused("file", "xml-doctype", "XML with a document type of its own is not read") from None
    except (ElementTree.ParseError, ValueError, RecursionError):
        if len(text) > LOOSELY_AT_MOST:
            raise Refused("file", "xml", "not XML, and too long to be guessed at") from None
    # Bytes, never text: what looks like an address would be fetched.
    parsed = feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")), sanitize_html=False, resolve_relative_uris=False,
        response_headers={"content-type": "application/xml; charset=utf-8"},
    )  # fmt: skip
    if not parsed.entries and (parsed.bozo or not parsed.get("version")):
        raise Refused("file", "source-shape", "neither RSS nor Atom")
    return [item for entry in parsed.entries[: MOST_ITEMS * 2] if (item := _of_entry(entry, now)) is not None]


def _of_entry(entry: Any, now: datetime) -> Item | None:
    markup = next((part.get("value", "") for part in entry.get("content", ())), "") or entry.get("summary", "")
    return made_item(
        str(entry.get("id", ""))[:2_000],
        str(entry.get("title", "")),
        str(markup),
        str(entry.get("link", "")),
        _when(entry),
        now,
    )


def _when(entry: Any) -> datetime | None:
    parsed = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        return None if parsed is None else datetime.fromtimestamp(timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _of_disasters(text: str, now: datetime) -> list[Item]:
    """긴급재난문자 (DSSP-IF-00247): only what is for 광산구 or the whole city; SN is the id. Failures come with status 200."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("file", "json", "not JSON") from None
    if not isinstance(whole, dict):
        raise Refused("file", "source-shape", "an object with `body` was expected")
    head = whole.get("header")
    code = str(head.get("resultCode", "00")) if isinstance(head, dict) else "00"
    if code not in ("00", "0"):
        raise Refused(
            "file", "source-error", f"재난문자 서버가 오류로 답했습니다 / the source answered with error {code[:20]}"
        )
    rows = whole.get("body")
    if not isinstance(rows, list):
        raise Refused("file", "source-shape", "`body` is a list of messages")
    return [
        item for row in rows[: MOST_ITEMS * 2] if isinstance(row, dict) and (item := _of_disaster(row, now)) is not None
    ]


def _of_disaster(row: dict[str, Any], now: datetime) -> Item | None:
    told = {
        name: str(row.get(name) or "").strip()
        for name in ("SN", "MSG_CN", "RCPTN_RGN_NM", "EMRG_STEP_NM", "DST_SE_NM", "CRT_DT")
    }
    if not told["SN"] or not told["MSG_CN"] or not _is_for_us(told["RCPTN_RGN_NM"]):
        return None
    title = f"[{told['EMRG_STEP_NM'] or '재난문자'}] {told['DST_SE_NM']} {told['MSG_CN']}"
    urgent = told["EMRG_STEP_NM"] in URGENT_STEPS
    return made_item(f"SN {told['SN']}", title, told["MSG_CN"], "", _seoul(told["CRT_DT"]), now, urgent=urgent)


def _is_for_us(regions: str) -> bool:
    """Regions come as a list with commas."""
    named = [" ".join(region.split()) for region in regions.split(",")]
    return any("광산구" in region or region in WHOLE_CITY for region in named)


def _seoul(written: str) -> datetime | None:
    try:
        return datetime.strptime(written, "%Y/%m/%d %H:%M:%S").replace(tzinfo=SEOUL)
    except ValueError:
        return None
