"""What officers offer in the demo: jobs, spaces and notices on real facilities, their words written afresh as samples."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from demo.areas import DONG_FILE, inside, rings_of
from demo.truth import F64, Posting, metres_between

FACILITIES = Path(__file__).parent.parent / "data" / "gwangsan_facilities.csv"
OFFICER = "officer:광산구 표본"
SAMPLE = "[표본] "
INTERESTS = ("meal-help", "care", "library", "cleaning", "event", "study", "meeting", "welfare", "culture", "safety")
PASSED_M = 400.0
SOME_FIXES = 5_000
RADII_M = (300, 500, 700, 700, 700, 1_000)

JOBS = {
    "library": (("서가 정리", "library"), ("책 읽어 주기", "library")),
    "senior": (("점심 배식 돕기", "meal-help"), ("스마트폰 사용 돕기", "care")),
    "community_center": (("민원 안내 돕기", "event"), ("반찬 나눔 포장", "meal-help")),
    "park": (("공원 가꾸기", "cleaning"), ("산책길 안전 살피기", "safety")),
    "bike_rack": (("자전거 거치대 정돈", "cleaning"), ("등하굣길 안전 살피기", "safety")),
    "market": (("장보기 동행", "care"), ("시장 행사 돕기", "event")),
}
OTHER_JOBS = (("시설 안내 돕기", "event"), ("주변 정돈", "cleaning"))
ROOMS = (("공유 회의실", "room", "meeting"), ("공유 책상", "desk", "study"), ("열람 자리", "seat", "study"))
NOTICES = (
    ("무료 건강 검진", "welfare"),
    ("작은 음악회", "culture"),
    ("도로 공사 안내", "safety"),
    ("나눔 장터", "culture"),
)

Service = Literal["jobs", "spaces", "notices"]


@dataclass(frozen=True)
class Facility:
    kind: str
    name: str
    address: str
    lat: float
    lon: float


@dataclass(frozen=True)
class Offer:
    """One thing to offer: what is sent to which service, what the truth knows of it, and a point that is inside."""

    service: Service
    body: dict[str, Any]
    wanted: Posting
    at: tuple[float, float]

    @property
    def path(self) -> str:
        return {"jobs": "/api/jobs/postings", "spaces": "/api/spaces/spaces", "notices": "/api/notices/notices"}[
            self.service
        ]

    @property
    def close_path(self) -> str:
        return self.path + "/{}/" + ("withdraw" if self.service == "notices" else "close")


def facilities() -> list[Facility]:
    """The district's facilities, one for each place."""
    with FACILITIES.open(encoding="utf-8", newline="") as file:
        rows = [
            Facility(r["kind"], r["name"], r["address"], float(r["lat"]), float(r["lon"])) for r in csv.DictReader(file)
        ]
    return list({(f.lat, f.lon): f for f in rows}.values())


def made(count: int, seed: int, now: datetime, lat: F64, lon: F64) -> list[Offer]:
    """So many offers: of ten five jobs, three spaces, one notice around a place and one to a 행정동.

    Places that somebody passes (of all who are at `lat`, `lon`) come first, or a short recording would show nothing.
    """
    chance = random.Random(seed)
    places, codes = facilities(), _dong_codes()
    chance.shuffle(places)
    chance.shuffle(codes)
    some = slice(None, None, 1 + len(lat) // SOME_FIXES)
    places.sort(key=lambda place: not (metres_between(lat[some], lon[some], place.lat, place.lon) < PASSED_M).any())
    codes.sort(key=lambda code: not inside(code, lat[some], lon[some]).any())
    offers = []
    for i in range(count):
        place = places[i % len(places)]
        match i % 10:
            case 0 | 2 | 4 | 6 | 8:
                offers.append(_job(place, chance, now))
            case 1 | 5 | 7:
                offers.append(_space(place, chance))
            case 3:
                offers.append(_notice(place, chance))
            case _:
                offers.append(_dong_notice(codes[i // 10 % len(codes)], chance))
    return offers


def _place(at: Facility) -> dict[str, Any]:
    return {"name": at.name, "address": at.address[:300] or None, "lat": at.lat, "lon": at.lon}


def _job(at: Facility, chance: random.Random, now: datetime) -> Offer:
    what, interest = chance.choice(JOBS.get(at.kind, OTHER_JOBS))
    radius_m, min_age = chance.choice(RADII_M), chance.choice((0, 0, 0, 19, 60))
    starts_at = (now + timedelta(hours=chance.choice((3, 5, 24)))).replace(minute=0, second=0, microsecond=0)
    ends_at = starts_at + timedelta(hours=chance.choice((2, 3, 4)))
    body = {
        "headline": f"{SAMPLE}{at.name} {what}", "place": _place(at), "radius_m": radius_m, "interests": [interest],
        "min_age": min_age or None, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(),
        "pay": {"amount_krw": chance.choice((10_700, 11_000, 12_500, 15_000)), "per": "hour"},
        "slots": chance.choice((1, 2, 5)), "not_a_duplicate": True,
    }  # fmt: skip
    circle = ((at.lat, at.lon, float(radius_m)),)
    wanted = Posting("job", circle, (), frozenset({interest}), min_age, starts_at, ends_at)
    return Offer("jobs", body, wanted, (at.lat, at.lon))


def _space(at: Facility, chance: random.Random) -> Offer:
    what, kind, interest = chance.choice(ROOMS)
    radius_m = chance.choice(RADII_M)
    body = {
        "headline": f"{SAMPLE}{at.name} {what}", "place": _place(at), "radius_m": radius_m, "space_kind": kind,
        "capacity": chance.choice((1, 4, 12)), "price": {"amount_krw": chance.choice((0, 1_000, 5_000)), "per": "hour"},
        "interests": [interest],
    }  # fmt: skip
    wanted = Posting("space", ((at.lat, at.lon, float(radius_m)),), interests=frozenset({interest}))
    return Offer("spaces", body, wanted, (at.lat, at.lon))


def _notice(at: Facility, chance: random.Random) -> Offer:
    what, topic = chance.choice(NOTICES)
    radius_m = chance.choice(RADII_M)
    circle = {"lat": at.lat, "lon": at.lon, "radius_m": radius_m}
    body = _notice_body(f"{at.name} {what}", topic, {"circles": [circle]})
    wanted = Posting("notice", ((at.lat, at.lon, float(radius_m)),), interests=frozenset({topic}))
    return Offer("notices", body, wanted, (at.lat, at.lon))


def _dong_notice(code: str, chance: random.Random) -> Offer:
    what, topic = chance.choice(NOTICES)
    name = dong_names()[code]
    body = _notice_body(f"{name} {what}", topic, {"dongs": [code]})
    return Offer("notices", body, Posting("notice", dongs=(code,), interests=frozenset({topic})), _middle(code))


def _notice_body(headline: str, topic: str, target: dict[str, Any]) -> dict[str, Any]:
    text = "재생을 위한 표본 소식입니다. A sample for the replay."
    return {"headline": SAMPLE + headline, "body": text, "target": target, "topics": [topic]}


def dong_names() -> dict[str, str]:
    """행정동 by its code since 2026-07."""
    features = json.loads(DONG_FILE.read_text(encoding="utf-8"))["features"]
    return {f["properties"]["code_from_2026_07"]: f["properties"]["name"] for f in features}


def _dong_codes() -> list[str]:
    return sorted(dong_names())


def _middle(code: str) -> tuple[float, float]:
    """A point inside, well away from the border, where two neighbours meet."""
    west, south = np.min([ring.min(axis=0) for ring in rings_of(code)], axis=0)
    east, north = np.max([ring.max(axis=0) for ring in rings_of(code)], axis=0)
    lat, lon = (each.ravel() for each in np.meshgrid(np.linspace(south, north, 41), np.linspace(west, east, 41)))
    corners = np.concatenate(rings_of(code))
    to_corner = np.min(np.hypot(lat[:, None] - corners[:, 1], lon[:, None] - corners[:, 0]), axis=1)
    best = int(np.argmax(np.where(inside(code, lat, lon), to_corner, -1.0)))
    return float(lat[best]), float(lon[best])
