"""What a mail says, as the bytes that go to the relay. Pure: quick enough for a digest to a hundred thousand."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from uuid import UUID

from services.delivery.deliveries.domain import Pending
from shared.clock import SEOUL

KINDS = {"job": "일자리", "space": "공간", "notice": "소식"}
WIDTH = 76  # of a line of base64 at most (RFC 2045 §6.8)
STOPS = {"kind": "이런 종류", "channel": "이 채널"}


@dataclass(frozen=True)
class Letter:
    """The envelope's words. `stop` is the address that ends all mail with one tap (RFC 8058), where there is one."""

    id: UUID
    sender: str
    to: str
    subject: str
    text: str
    html: str
    stop: str | None


def digest_letter(
    id_: UUID,
    sender: str,
    to: str,
    items: Sequence[tuple[Pending, Mapping[str, str]]],
    more: int,
    *,
    base: str,
    stop: str,
) -> Letter:
    """Items with the links that stop each. Neither distance nor 동: mailboxes keep what they are told."""
    count = len(items) + more
    first = " ".join(items[0][0].content["headline"].split())
    subject = first if count == 1 else f"{first} 외 {count - 1}건"
    rest = f"이 밖에 {more}건이 알림함에 있습니다. {more} more are in your inbox." if more else ""
    texts, htmls = zip(*(_item(item, links, base) for item, links in items), strict=True)
    end = "이메일을 더 받지 않으려면 No more e-mail:"
    text = "\n\n".join([*texts, *([rest] if rest else []), f"--\n{end} {stop}"])
    html = (
        f'<!doctype html><html lang="ko"><body><h1 style="font-size:1.25rem">당근 광산 소식 {count}건</h1>{"".join(htmls)}'
        f'<p>{rest}</p><hr><p><a href="{escape(stop)}">이메일 그만 받기 Unsubscribe</a></p></body></html>'
    )
    return Letter(id_, sender, to, f"[당근 광산] {subject}"[:150], text, html, stop)


def _item(item: Pending, links: Mapping[str, str], base: str) -> tuple[str, str]:
    told = item.content
    marks = "[긴급] " if item.emergency else "[급함] " if item.urgent else ""
    marks += "[곧 마감] " if told.get("reminder") else ""
    headline = f"{marks}{' '.join(told['headline'].split())}{' (수정됨)' if told.get('edited') else ''}"
    url = told["link"] if "://" in told["link"] else base + told["link"]
    text, html = _said(headline, item.kind, told["institution"], told.get("starts_at"), url)
    stops = [(STOPS.get(name) or f"주제 {name.partition(':')[2]}", address) for name, address in links.items()]
    ends = "\n".join([f"{said} 그만 받기: {address}" for said, address in stops])
    anchors = " · ".join([f'<a href="{escape(address)}">{escape(said)} 그만 받기</a>' for said, address in stops])
    return f"{text}\n{ends}", f"{html}<p><small>{anchors}</small></p>"


@lru_cache(maxsize=1_024)  # of a digest to everybody most items are the same few
def _said(headline: str, kind: str, institution: str, starts_at: str | None, url: str) -> tuple[str, str]:
    about = " · ".join(part for part in (KINDS[kind], institution, _when(starts_at)) if part)
    linked = (
        f'<a href="{escape(url)}">{escape(headline)}</a>'
        if url.startswith(("http://", "https://"))
        else escape(headline)
    )
    return f"{headline}\n{about}\n{url}", f'<h2 style="font-size:1.05rem">{linked}</h2><p>{escape(about)}</p>'


def _when(starts_at: str | None) -> str | None:
    return None if starts_at is None else f"{datetime.fromisoformat(starts_at).astimezone(SEOUL):%m월 %d일 %H:%M}"


def confirmation_letter(id_: UUID, sender: str, to: str, link: str) -> Letter:
    """Asks whether it was the owner of the mailbox who gave this address."""
    said = (
        "당근 광산 소식을 이 주소로 받으려면 아래 링크를 열고 확인을 눌러 주세요. 신청하지 않았다면 그냥 두시면 됩니다."
    )
    english = (
        "To receive messages of 당근 광산 here, open this link and confirm. If you did not ask for it, do nothing."
    )
    anchor = f'<a href="{escape(link)}">확인 Confirm</a>'
    html = f'<!doctype html><html lang="ko"><body><p>{said}</p><p>{anchor}</p><p>{english}</p></body></html>'
    return Letter(id_, sender, to, "[당근 광산] 이메일 주소 확인", f"{said}\n\n{link}\n\n{english}\n", html, None)


def as_bytes(letter: Letter, now: datetime) -> bytes:
    """RFC 5322. Built by hand: the library's builder takes a hundred times as long, and a digest is many letters."""
    boundary = f"=_{letter.id.hex}"
    host = letter.sender.rpartition("@")[2]
    head = [
        f"From: {_word('당근 광산')} <{letter.sender}>", f"To: <{letter.to}>", f"Subject: {_folded(letter.subject)}",
        f"Date: {format_datetime(now)}", f"Message-ID: <{letter.id}@{host}>", "MIME-Version: 1.0", "Auto-Submitted: auto-generated",
        f"List-Id: <gwangsan.{host}>", f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]  # fmt: skip
    if letter.stop is not None:
        head += [f"List-Unsubscribe: <{letter.stop}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    parts = [
        f'--{boundary}\r\nContent-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n{_lines(body)}'
        for kind, body in (("text/plain", letter.text), ("text/html", letter.html))
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + "".join(parts) + f"--{boundary}--\r\n").encode("ascii")


def _lines(body: str) -> str:
    encoded = base64.b64encode(body.encode("utf-8", "replace")).decode()
    return "".join([f"{encoded[start : start + WIDTH]}\r\n" for start in range(0, len(encoded), WIDTH)])


def _word(text: str) -> str:
    return f"=?utf-8?B?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _folded(text: str) -> str:
    """RFC 2047: encoded words of at most 75 characters, no character cut in two; line breaks cannot come in."""
    flat = " ".join(text.split())
    return "\r\n ".join(_word(flat[start : start + 11]) for start in range(0, len(flat), 11)) or _word("소식")
