"""The public holidays that are known by law, from the file; what is declared later is in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path

from services.spaces.calendars.rest import Holiday, Holidays

HOLIDAY_FILE = Path(__file__).parent / "holidays.json"


@cache
def lawful_holidays(path: Path = HOLIDAY_FILE) -> tuple[Holiday, ...]:
    """Those of the years in the file, in order; read once. Sources are named in the file."""
    told = json.loads(path.read_text(encoding="utf-8"))["holidays"]
    return tuple(
        Holiday(date.fromisoformat(one["day"]), one["name"], one.get("kind", "public"))
        for one in sorted(told, key=lambda one: str(one["day"]))
    )


def holidays_with(declared: Iterable[Holiday]) -> Holidays:
    """The holidays by law and those declared; where both name a day, the law's name stands."""
    return Holidays.of((*declared, *lawful_holidays()))
