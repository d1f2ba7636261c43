"""Statistic cards as tests make, upload and read them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

from tests.notices import Institution, NoticesDesk

FORMS = ("chart.svg", "table.html", "table.csv", "embed")


def points(table: dict[str, dict[str, int]], **more: Any) -> list[dict[str, Any]]:
    return [
        {"period": period, "group": group, "value": value, **more}
        for period, groups in table.items()
        for group, value in groups.items()
    ]


def card_draft(**changed: Any) -> dict[str, Any]:
    return {
        "title": f"동별 이용자 {uuid4().hex[:6]}", "unit": "명", "every": "month", "source": "광산구 통계", "as_of": "2026-06-01",
        "points": points({"2026-03": {"수완동": 40, "첨단1동": 12, "하남동": 3}}), **changed,
    }  # fmt: skip


def edit_of(card: dict[str, Any], **changed: Any) -> dict[str, Any]:
    kept = {name: card[name] for name in ("title", "unit", "source", "source_url", "note", "as_of")}
    return {**kept, "points": points({"2026-03": {"수완동": 40}}), **changed}


async def made(desk: NoticesDesk, office: Institution, **changed: Any) -> dict[str, Any]:
    card: dict[str, Any] = await desk.good("POST", "/statistics", card_draft(**changed), as_=office.both)
    return card


async def read(desk: NoticesDesk, card: dict[str, Any], form: str = "", **more: Any) -> Any:
    return await desk.http.get(f"/statistics/{card['id']}{'/' + form if form else ''}", **more)


async def upload(desk: NoticesDesk, card: dict[str, Any], office: Institution, raw: bytes, **query: Any) -> Any:
    path = f"/statistics/{card['id']}/{query.pop('kind', 'import')}"
    headers = desk.bearer(query.pop("as_", office.both)) | {"Idempotency-Key": query.pop("key", uuid4().hex)}
    params = {"as_of": "2026-06-01", **query}
    return await desk.http.post(path, content=raw, headers=headers, params=params)


def cells(card: dict[str, Any], period: str = "2026-03") -> dict[str, float | None]:
    (line,) = (line for line in card["table"] if line["period"] == period)
    return {"": line["total"]["value"], **{group: cell["value"] for group, cell in line["groups"].items()}}


async def everything(desk: NoticesDesk, card: dict[str, Any]) -> str:
    """All that anybody can read of it, joined; marks of style and size left out."""
    answers = [await read(desk, card), await read(desk, card, "revisions")]
    answers += [await read(desk, card, form, params={"lang": lang}) for form in FORMS for lang in ("ko", "en")]
    answers.append(await desk.http.get("/statistics", params={"channel": card["channel"]}))
    assert {answer.status_code for answer in answers} == {200}
    return "\n".join(re.sub(r"<style>.*?</style>", "", answer.text) for answer in answers)


class Tags(HTMLParser):
    """What elements and attributes a page really has."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scopes: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))
