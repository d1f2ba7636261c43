"""Fixes read straight from Kafka's bytes, for bodies in exactly the form in which the API writes them. Compiled.

Whatever is not (another order of fields, spaces, escapes, letters beyond ASCII, numbers of more than 15 digits, or a value out
of range) is left to msgspec, which decides what it means and whether it is refused (wire.py).
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled


def _literal(text: bytes):
    return np.frombuffer(text, np.uint8).copy()


CITIZEN, LAT, LON = _literal(b'{"citizen_id":"'), _literal(b'","lat":'), _literal(b',"lon":')
ACCURACY, OBSERVED = _literal(b',"accuracy_m":'), _literal(b',"observed_at":"')
RECEIVED, EPOCH, END = _literal(b'","received_at":"'), _literal(b'","consent_epoch":'), _literal(b"}")
POWERS = 10.0 ** np.arange(23)
MOST_DIGITS, LONGEST_ID, MOST_EPOCH = 15, 200, (1 << 31) - 1
ZERO, NINE, QUOTE, BACKSLASH = 48, 57, 34, 92
POINT, MINUS, PLUS, COLON, BIG_T, BIG_Z = 46, 45, 43, 58, 84, 90
BAD = -1


@compiled
def varint(text, at):
    """A zigzag varint (Protocol Buffers): the number and where it ends."""
    value, shift = np.int64(0), np.int64(0)
    while True:
        byte = np.int64(text[at])
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


@compiled
def split(text, at, count, base_offset, since, partition, rows, n):
    """Where the bodies of a batch's records are: rows from the n-th on, without those before `since`. Returns the next row."""
    for _ in range(count):
        length, at = varint(text, at)
        end = at + length
        _, at = varint(text, at + 1)
        delta, at = varint(text, at)
        key, at = varint(text, at)
        body, at = varint(text, at + max(key, 0))
        if base_offset + delta >= since:
            rows[n].body_at, rows[n].body_length = at, max(body, 0)
            rows[n].offset, rows[n].partition = base_offset + delta, partition
            n += 1
        at = end
    return n


@compiled
def expect(text, at, end, literal):
    """Where it goes on after the literal, BAD if it is not there (or nothing was before)."""
    if at < 0 or at + len(literal) > end:
        return BAD
    for k in range(len(literal)):
        if text[at + k] != literal[k]:
            return BAD
    return at + len(literal)


@compiled
def digits(text, at, end, most):
    """A run of at most so many digits: its value and where it ends."""
    value, stop = np.int64(0), min(end, at + most)
    while at < stop and ZERO <= text[at] <= NINE:
        value = value * 10 + (np.int64(text[at]) - ZERO)
        at += 1
    return value, at


@compiled
def number(text, at, end):
    """A decimal of at most 15 digits, which one division makes exact (W. D. Clinger, 1990), and where it ends or BAD."""
    if at < 0 or at >= end:
        return 0.0, BAD
    negative = text[at] == MINUS
    first = at + 1 if negative else at
    whole, at = digits(text, first, end, MOST_DIGITS + 1)
    length = at - first
    if length == 0 or (length > 1 and text[first] == ZERO):
        return 0.0, BAD
    places = 0
    if at < end and text[at] == POINT:
        fraction, stop = digits(text, at + 1, end, MOST_DIGITS + 1)
        places = stop - at - 1
        if places == 0 or length + places > MOST_DIGITS:
            return 0.0, BAD
        whole, at = whole * np.int64(POWERS[places]) + fraction, stop
    if length + places > MOST_DIGITS:
        return 0.0, BAD
    value = np.float64(whole) / POWERS[places]
    return -value if negative else value, at


@compiled
def two(text, at, end, low, high):
    """Two digits between low and high, else BAD."""
    value, stop = digits(text, at, end, 2)
    return value if stop == at + 2 and low <= value <= high else BAD


@compiled
def days_since_1970(year, month, day):
    """Of the Gregorian calendar (H. Hinnant, days_from_civil)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@compiled
def days_in(year, month):
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def moment(text, at, end):
    """An RFC 3339 time with zone, at most six places: microseconds since 1970, and where it ends or BAD."""
    if at < 0 or end - at < 20 or text[at + 4] != MINUS or text[at + 7] != MINUS or text[at + 10] != BIG_T:
        return 0, BAD
    year, stop = digits(text, at, end, 4)
    month = two(text, at + 5, end, 1, 12)
    hour, minute, second = (
        two(text, at + 11, end, 0, 23),
        two(text, at + 14, end, 0, 59),
        two(text, at + 17, end, 0, 59),
    )
    if stop != at + 4 or year < 1970 or month < 0 or min(hour, minute, second) < 0:
        return 0, BAD
    day = two(text, at + 8, end, 1, days_in(year, month))
    if day < 0 or text[at + 13] != COLON or text[at + 16] != COLON:
        return 0, BAD
    us = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000
    at += 19
    if text[at] == POINT:
        fraction, stop = digits(text, at + 1, end, 6)
        places = stop - at - 1
        if places == 0:
            return 0, BAD
        us, at = us + fraction * np.int64(POWERS[6 - places]), stop
    return zone(text, at, end, us)


@compiled
def zone(text, at, end, us):
    if at < end and text[at] == BIG_Z:
        return us, at + 1
    if at + 6 > end or (text[at] != PLUS and text[at] != MINUS) or text[at + 3] != COLON:
        return 0, BAD
    hour, minute = two(text, at + 1, end, 0, 23), two(text, at + 4, end, 0, 59)
    if hour < 0 or minute < 0:
        return 0, BAD
    offset_us = (hour * 60 + minute) * 60_000_000
    return us - offset_us if text[at] == PLUS else us + offset_us, at + 6


@compiled
def name_end(text, at, end):
    """Where an id of 1 to 200 plain ASCII letters ends, else BAD."""
    stop = min(end, at + LONGEST_ID + 1)
    first = at
    while at < stop and 0x20 <= text[at] < 0x7F and text[at] != QUOTE and text[at] != BACKSLASH:
        at += 1
    return at if first < at < stop else BAD


@compiled
def read(text, row):
    """Fill a row from its body; False if the body is not canonical."""
    at, end = row.body_at, row.body_at + row.body_length
    at = expect(text, at, end, CITIZEN)
    if at < 0:
        return False
    stop = name_end(text, at, end)
    row.id_at, row.id_length = at, stop - at
    row.lat, at = number(text, expect(text, stop, end, LAT), end)
    row.lon, at = number(text, expect(text, at, end, LON), end)
    row.accuracy_m, at = number(text, expect(text, at, end, ACCURACY), end)
    observed_us, at = moment(text, expect(text, at, end, OBSERVED), end)
    row.received_us, at = moment(text, expect(text, at, end, RECEIVED), end)
    at = expect(text, at, end, EPOCH)
    if at < 0 or at >= end or text[at] == ZERO:
        return False
    epoch, stop = digits(text, at, end, 10)
    if stop == at or epoch > MOST_EPOCH or expect(text, stop, end, END) != end:
        return False
    # The same steps as datetime.timestamp() * 1000, so that both readers round alike.
    row.epoch, row.observed_ms = epoch, np.int64(observed_us / 1e6 * 1000.0)
    return -90.0 <= row.lat <= 90.0 and -180.0 <= row.lon <= 180.0 and row.accuracy_m >= 0.0


@compiled
def read_all(text, rows):
    """Fill every row that is canonical and mark it so; how many are not."""
    left = 0
    for i in range(len(rows)):
        rows[i].canonical = read(text, rows[i])
        left += not rows[i].canonical
    return left
