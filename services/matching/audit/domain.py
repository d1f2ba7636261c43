"""What counts as a trace of somebody's place in stored bytes: digits in text, or numbers in binary. Pure.

A point is found where both its latitude and its longitude are, or where either stands together with the citizen's id. Text
is matched by its first digits, so that a coordinate that was cut or rounded down is found as well as the whole one;
binary by every eight bytes that read as a double near it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DOUBLE = 8


@dataclass(frozen=True)
class Point:
    """A place to search for, by so many digits after the point: four are about 10 m."""

    lat: float
    lon: float
    digits: int = 4


@dataclass(frozen=True)
class Finding:
    """Where a trace is. It names the place in the store, and never repeats the coordinate."""

    store: str
    at: str
    what: str


def parsed(text: str, digits: int = 4) -> Point:
    """ "LAT,LON". Raises ValueError for what is no point of the earth, or has too few digits to search for."""
    lat, lon = (float(part) for part in text.split(","))
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise ValueError("not a point of the earth")
    if digits < 3:
        raise ValueError("by fewer than three digits every place of the district is found")
    return Point(lat, lon, digits)


def trace_in(blob: bytes, points: Sequence[Point], citizen_id: str) -> str | None:
    """What of one of the points the bytes hold, or None."""
    named = citizen_id.encode() in blob
    for point in points:
        lat, lon = _holds(blob, point.lat, point.digits), _holds(blob, point.lon, point.digits)
        if lat and lon:
            return "a position"
        if named and (lat or lon):
            return "half a position beside the citizen's id"
    return None


def _holds(blob: bytes, degrees: float, digits: int) -> bool:
    return _in_text(blob, degrees, digits) or _in_binary(blob, degrees, digits)


def _in_text(blob: bytes, degrees: float, digits: int) -> bool:
    """Cut, not rounded: 35.19079 is found by 35.1907. A digit before it would make it another number."""
    scale = 10**digits
    cut = math.trunc(round(degrees * scale * 1000) / 1000)
    whole, rest = divmod(abs(cut), scale)
    return re.search(rb"(?<![\d.])" + f"{whole}\\.{rest:0{digits}d}".encode(), blob) is not None


def _in_binary(blob: bytes, degrees: float, digits: int) -> bool:
    near = 10.0**-digits
    for shift in range(min(DOUBLE, len(blob) - DOUBLE + 1)):
        body = blob[shift : shift + (len(blob) - shift) // DOUBLE * DOUBLE]
        for order in ("<f8", ">f8"):
            with np.errstate(invalid="ignore"):
                if bool((np.abs(np.frombuffer(body, order) - degrees) < near).any()):
                    return True
    return False
