"""What the first page carries is what its README says: copies of the project's data, and nothing from elsewhere."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
PAGE = (
    WEB / "index.html",
    *(WEB / "scripts").rglob("*.js"),
    *(WEB / "styles").glob("*.css"),
    *(WEB / "images").glob("*.svg"),
)
MODULE_LINES = 300


def test_the_drive_is_one_of_the_traces() -> None:
    drive = json.loads((WEB / "data" / "trace.json").read_text(encoding="utf-8"))
    first, last = drive["from_second"], drive["from_second"] + drive["points"][-1][0]
    with gzip.open(ROOT / "data" / "gwangsan_traces.csv.gz", "rt", encoding="utf-8") as rows:
        recorded = [
            [int(row["second"]) - first, float(row["lat"]), float(row["lon"])]
            for row in csv.DictReader(rows)
            if row["citizen"] == drive["citizen"] and first <= int(row["second"]) <= last
        ]
    assert drive["points"] == recorded
    assert last - first < 600, "a replay keeps every point younger than matching allows"


def test_the_boundaries_are_the_district_s_rounded_to_a_metre() -> None:
    copy, source = (
        json.loads(path.read_text(encoding="utf-8"))["features"]
        for path in (WEB / "data" / "dongs.geojson", ROOT / "data" / "gwangsan_dong.geojson")
    )
    assert len(copy) == 21
    assert [f["properties"] for f in copy] == [f["properties"] for f in source]
    assert [f["geometry"]["coordinates"] for f in copy] == [_rounded(f["geometry"]["coordinates"]) for f in source]


def _rounded(coordinates: Any) -> Any:
    return round(coordinates, 5) if isinstance(coordinates, float) else [_rounded(part) for part in coordinates]


def test_the_page_asks_no_other_host() -> None:
    names_of_formats = {"http://www.w3.org/2000/svg"}
    found = {url for path in PAGE for url in re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))}
    assert found <= names_of_formats


def test_nothing_inline_that_the_policy_would_refuse() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert "default-src 'self'" in page
    assert "unsafe" not in page
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)


def test_both_languages_say_the_same_things() -> None:
    keys = [
        re.findall(r'^  "?([\w-]+)"?:', (WEB / "scripts" / "ui" / f"texts-{lang}.js").read_text(encoding="utf-8"), re.M)
        for lang in ("ko", "en")
    ]
    assert keys[0] == keys[1]
    used = re.findall(r'data-t(?:-label)?="([\w-]+)"', (WEB / "index.html").read_text(encoding="utf-8"))
    assert set(used) <= set(keys[0])


def test_modules_stay_small() -> None:
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in PAGE}
    assert {name: count for name, count in lines.items() if count > MODULE_LINES} == {}
