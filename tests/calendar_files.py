"""iCalendar files as tests make them."""

from __future__ import annotations

NEW_YORK = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:19701101T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700308T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
END:VTIMEZONE"""


def event(*lines: str, uid: str = "one", sequence: int | None = None) -> str:
    told = [f"UID:{uid}"] if uid else []
    told += [f"SEQUENCE:{sequence}"] if sequence is not None else []
    return "\n".join(["BEGIN:VEVENT", *told, "DTSTAMP:20261101T000000Z", *lines, "END:VEVENT"])


def calendar(*parts: str) -> bytes:
    whole = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//KO", *parts, "END:VCALENDAR", ""])
    return whole.replace("\n", "\r\n").encode()
