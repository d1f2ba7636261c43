"""The hot loops, compiled by Numba: plain loops over records, one pass, no objects. See tables.py for the records.

Rules are named as in the product's terms: M1 enter and exit, M3 event time, J2 once per urgency epoch. The rim of a
circle is inside. `used` counts the pairs held; functions that may add some return it.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from shared.geo import EARTH_M, LAT_CELLS, LAT_STEP, LON_BITS, LON_CELLS, LON_STEP

ACCEPTED, REFUSED, INACCURATE, LATE, IMPLAUSIBLE = 0, 1, 2, 3, 4
OUTCOMES = ("accepted", "refused", "inaccurate", "late", "implausible")
METRES_PER_DEGREE = EARTH_M * math.pi / 180.0
JOB_BIT = 1
NEVER_MS = -(1 << 62)
LONG_AGO = -1_000
ANEW = 10
BEYOND, RIM, INSIDE = 0, 1, 2
NOWHERE = (np.nan, np.nan, 1.0, np.int64(-1))

compiled = njit(cache=True, nogil=True)


@compiled
def haversine_m(lat1, lon1, lat2, lon2):
    """Great-circle metres on the mean sphere, as shared.geo.haversine_m."""
    p1, p2 = math.radians(lat1), math.radians(lat2)
    a = math.sin((p2 - p1) * 0.5)
    b = math.sin(math.radians(lon2 - lon1) * 0.5)
    return 2.0 * EARTH_M * math.asin(math.sqrt(min(1.0, a * a + math.cos(p1) * math.cos(p2) * b * b)))


@compiled
def exit_rim_m(radius_m):
    """How far one must be to have left: max(1.1 r, r + 20 m) (M1)."""
    return max(1.1 * radius_m, radius_m + 20.0)


@compiled
def find_cell(lat, lon, cells):
    """The slot of the cell a point stands in, -1 if no posting touches it."""
    row = min(LAT_CELLS - 1, max(0, int((lat + 90.0) / LAT_STEP)))
    column = min(LON_CELLS - 1, max(0, int((lon + 180.0) / LON_STEP)))
    cell = np.int64(row << LON_BITS | column)
    mask = len(cells) - 1
    at = (cell * 0x9E3779B1 >> 7) & mask
    while cells[at].cell >= 0:
        if cells[at].cell == cell:
            return at
        at = (at + 1) & mask
    return np.int64(-1)


@compiled
def find_pair(pairs, c, p):
    """The pair's slot, or the free one where it would go."""
    key = np.int64(c) << 32 | np.int64(p)
    mask = np.int64(len(pairs) - 1)
    at = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while pairs[at].key >= 0 and pairs[at].key != key:
        at = (at + 1) & mask
    return at


@compiled
def wants(citizen, posting):
    """Kind, interests and age: what does not change with place or time of day."""
    if citizen.kinds & posting.kind == 0:
        return False
    if posting.interests != 0 and citizen.interests != 0 and posting.interests & citizen.interests == 0:
        return False
    # Only the year of birth is known, so the age certain all year long is one less than the difference.
    certain_age = posting.starts_year - citizen.birth_year - 1
    return posting.min_age == 0 or (citizen.birth_year > 0 and certain_age >= posting.min_age)


@compiled
def free_for(citizen, posting, now_ms):
    """A job needs a citizen who is free now and whose window holds the whole shift (J2). Others need no window."""
    if posting.kind != JOB_BIT or citizen.free_from_ms == NEVER_MS:
        return True
    if not citizen.free_from_ms <= now_ms < citizen.free_until_ms:
        return False
    if posting.starts_ms == NEVER_MS:
        return True  # a job at any time: being free now is enough
    return posting.starts_ms >= citizen.free_from_ms and posting.ends_ms <= citizen.free_until_ms


@compiled
def zone_of(lat, lon, cos_lat, dong, reach_cap_m, shape):
    """INSIDE, in the exit RIM, or BEYOND: by distance, or by the 행정동 stood in (which has no rim).

    The distance on the plane at the mean latitude is within a part in ten million of the great circle's at 3 km, so that
    only within a metre of a rim (or near a pole, or across the antimeridian) the exact one is computed.
    """
    if shape.radius_m <= 0:
        return INSIDE if dong >= 0 and (shape.dongs >> dong) & 1 == 1 else BEYOND
    reach_m = min(shape.radius_m, reach_cap_m)
    rim_m = exit_rim_m(reach_m)
    y = (lat - shape.lat) * METRES_PER_DEGREE
    if abs(y) > rim_m + 1.0:
        return BEYOND
    x = (lon - shape.lon) * METRES_PER_DEGREE * 0.5 * (cos_lat + shape.cos_lat)
    plane_m2 = x * x + y * y
    if cos_lat > 0.1 and abs(lon - shape.lon) < 180.0:
        if plane_m2 < (reach_m - 1.0) * (reach_m - 1.0):
            return INSIDE
        if plane_m2 > (rim_m + 1.0) * (rim_m + 1.0):
            return BEYOND
    metres = haversine_m(lat, lon, shape.lat, shape.lon)
    return INSIDE if metres <= reach_m else RIM if metres <= rim_m else BEYOND


@compiled
def meet(c, citizen, p, posting, zone, before, patience, now_ms, pairs, used):
    """A citizen in or near a posting that they want, `before` being the zone at the fix before (BEYOND if none).

    In the rim one is present only if one was before: at the last fix, or with one unconfirmed fix beyond since (M1).
    `together` is written on entering, on leaving and in the rim, so who stays inside costs nothing.
    """
    slot = find_pair(pairs, c, p)
    known = pairs[slot].key >= 0
    if zone == BEYOND:
        if known and before == INSIDE:
            pairs[slot].together = max(pairs[slot].together, citizen.fix_count - 1)
        return False, used
    if zone == RIM and before != INSIDE and not (known and citizen.fix_count - pairs[slot].together <= patience):
        return False, used
    if not known:
        pairs[slot].key = np.int64(c) << 32 | np.int64(p)
        used += 1
    pairs[slot].together = citizen.fix_count
    if pairs[slot].alerted >= posting.epoch or not free_for(citizen, posting, now_ms):
        return False, used
    pairs[slot].alerted = posting.epoch
    return True, used


@compiled
def scan_cell(c, dong, was, entry, now_ms, citizens, postings, shapes, pool, pairs, used, out, written):
    """Meet every posting of the cell a citizen stands in; matches go to `out` from `written` on.

    `was` is (lat, lon, cos of lat, dong) at the fix before, NaN if there was none or nothing moved. Whoever was inside
    then and is inside now has been decided already: whatever else changed meanwhile was looked at when it did.
    """
    citizen = citizens[c]
    was_lat, was_lon, was_cos, was_dong = was
    came = not math.isnan(was_lat)
    cos_lat = math.cos(math.radians(citizen.lat))
    for k in range(entry.start, entry.start + entry.length):
        shape = shapes[pool[k]]
        zone = zone_of(citizen.lat, citizen.lon, cos_lat, dong, citizen.radius_m, shape)
        before = zone_of(was_lat, was_lon, was_cos, was_dong, citizen.radius_m, shape) if came else BEYOND
        if zone == before and zone != RIM:
            continue
        posting = postings[shape.posting]
        if not posting.open or posting.expires_ms <= now_ms or not wants(citizen, posting):
            continue
        patience = 2 if came else 0
        alert, used = meet(c, citizen, shape.posting, posting, zone, before, patience, now_ms, pairs, used)
        if alert:
            metres = haversine_m(citizen.lat, citizen.lon, shape.lat, shape.lon) if shape.radius_m > 0 else -1.0
            out[written].citizen, out[written].posting, out[written].metres = c, shape.posting, metres
            written += 1
    return written, used


@compiled
def leave_cell(c, dong, was, entry, citizens, shapes, pool, pairs):
    """Note the circles that a citizen was inside at the fix before and is beyond now, in another cell (M1)."""
    citizen = citizens[c]
    was_lat, was_lon, was_cos, was_dong = was
    cos_lat = math.cos(math.radians(citizen.lat))
    for k in range(entry.start, entry.start + entry.length):
        shape = shapes[pool[k]]
        before = zone_of(was_lat, was_lon, was_cos, was_dong, citizen.radius_m, shape)
        if before == INSIDE and zone_of(citizen.lat, citizen.lon, cos_lat, dong, citizen.radius_m, shape) == BEYOND:
            slot = find_pair(pairs, c, shape.posting)
            if pairs[slot].key >= 0:
                pairs[slot].together = max(pairs[slot].together, citizen.fix_count - 1)


@compiled
def gate(citizen, lat, lon, accuracy_m, observed_ms, epoch, max_accuracy_m, max_speed_m_s):
    """Whether a fix may move the citizen: consent (M9), accuracy and speed (M1), event time (M3)."""
    if epoch < citizen.consent_epoch or (epoch == citizen.consent_epoch and not citizen.located):
        return REFUSED
    if accuracy_m > max_accuracy_m:
        return INACCURATE
    if observed_ms <= citizen.observed_ms:
        return LATE
    if not math.isnan(citizen.lat):
        # What both fixes may be off by is no evidence of movement.
        walked_m = haversine_m(citizen.lat, citizen.lon, lat, lon) - citizen.accuracy_m - accuracy_m
        if walked_m > max_speed_m_s * (observed_ms - citizen.observed_ms) / 1000.0:
            return IMPLAUSIBLE
    return ACCEPTED


@compiled
def may_match(citizen, now_ms, stale_ms):
    """Whether a position is known, young enough (M3), and was taken under the consent that is known (M9)."""
    known = not math.isnan(citizen.lat)
    return known and citizen.observed_ms >= now_ms - stale_ms and citizen.fix_epoch == citizen.consent_epoch


@compiled
def take_fixes(i, fixes, limits, now_ms, citizens, postings, shapes, cells, pool, pairs, used, room, outcome, out):
    """Apply fixes in order from the i-th. Stops early when pairs or output run out of room; call again from there.

    Returns (the next fix, matches written, pairs used).
    """
    max_accuracy_m, max_speed_m_s, stale_ms = limits
    written = 0
    while i < len(fixes):
        fix = fixes[i]
        citizen = citizens[fix.citizen]
        at = find_cell(fix.lat, fix.lon, cells)
        candidates = cells[at].length if at >= 0 else 0
        if used + candidates > room or written + candidates > len(out):
            break
        outcome[i] = gate(
            citizen, fix.lat, fix.lon, fix.accuracy_m, fix.observed_ms, fix.epoch, max_accuracy_m, max_speed_m_s
        )
        if outcome[i] == ACCEPTED:
            # A citizen not heard of for long was not looked at when postings changed, so counts as coming anew.
            heard = may_match(citizen, now_ms, stale_ms) and fix.epoch == citizen.fix_epoch
            was = NOWHERE
            if heard:
                was = (citizen.lat, citizen.lon, math.cos(math.radians(citizen.lat)), np.int64(citizen.dong))
            citizen.lat, citizen.lon, citizen.accuracy_m = fix.lat, fix.lon, fix.accuracy_m
            citizen.observed_ms, citizen.dong, citizen.fix_epoch = fix.observed_ms, fix.dong, fix.epoch
            citizen.fix_count += 1 if heard else ANEW
            if heard:
                left = find_cell(was[0], was[1], cells)
                if left >= 0 and left != at:
                    leave_cell(fix.citizen, fix.dong, was, cells[left], citizens, shapes, pool, pairs)
            if at >= 0 and may_match(citizen, now_ms, stale_ms):
                first = written
                written, used = scan_cell(
                    fix.citizen, fix.dong, was, cells[at], now_ms, citizens, postings, shapes, pool, pairs, used, out, written
                )  # fmt: skip
                for m in range(first, written):
                    out[m].fix = i
        i += 1
    return i, written, used


@compiled
def look_again(i, who, dongs, stale_ms, now_ms, citizens, postings, shapes, cells, pool, pairs, used, room, out):
    """Evaluate citizens where they stand: their watch changed, a window began, or they were just restored."""
    written = 0
    while i < len(who):
        citizen = citizens[who[i]]
        if may_match(citizen, now_ms, stale_ms):
            at = find_cell(citizen.lat, citizen.lon, cells)
            if at >= 0:
                if used + cells[at].length > room or written + cells[at].length > len(out):
                    break
                written, used = scan_cell(
                    who[i],
                    dongs[i],
                    NOWHERE,
                    cells[at],
                    now_ms,
                    citizens,
                    postings,
                    shapes,
                    pool,
                    pairs,
                    used,
                    out,
                    written,
                )
        i += 1
    return i, written, used


@compiled
def look_around(c, size, shape, posting, anew, dongs, stale_ms, now_ms, citizens, pairs, used, room, out):
    """Evaluate everybody for one shape of a posting that opened or changed.

    Where the place, or whom it is for, changed, nobody is present any more, whatever was before.
    """
    rim_degrees = (exit_rim_m(shape.radius_m) + 1.0) / METRES_PER_DEGREE if shape.radius_m > 0 else 180.0
    written = 0
    while c < size:
        citizen = citizens[c]
        if anew:
            slot = find_pair(pairs, c, shape.posting)
            if pairs[slot].key >= 0:
                pairs[slot].together = LONG_AGO
        if abs(citizen.lat - shape.lat) <= rim_degrees or (shape.radius_m <= 0 and not math.isnan(citizen.lat)):
            if used + 1 > room or written + 1 > len(out):
                break
            if may_match(citizen, now_ms, stale_ms) and posting.expires_ms > now_ms and wants(citizen, posting):
                cos_lat = math.cos(math.radians(citizen.lat))
                zone = zone_of(citizen.lat, citizen.lon, cos_lat, dongs[c], citizen.radius_m, shape)
                alert, used = meet(c, citizen, shape.posting, posting, zone, BEYOND, 0, now_ms, pairs, used)
                if alert:
                    metres = haversine_m(citizen.lat, citizen.lon, shape.lat, shape.lon) if shape.radius_m > 0 else -1.0
                    out[written].citizen, out[written].posting, out[written].metres = c, shape.posting, metres
                    written += 1
        c += 1
    return c, written, used


@compiled
def copy_pairs(old, keep_posting, new):
    """Into a larger (or cleaner) table; pairs of postings that are gone are left behind. Returns how many were kept."""
    kept = 0
    for i in range(len(old)):
        p = old[i].key & 0xFFFFFFFF
        if old[i].key >= 0 and keep_posting[p]:
            at = find_pair(new, old[i].key >> 32, p)
            new[at].key, new[at].alerted, new[at].together = old[i].key, old[i].alerted, old[i].together
            kept += 1
    return kept


@compiled
def mark_alerted(citizens, postings, epochs, pairs):
    """Remember alerts made earlier. The caller has made room for all of them. Returns how many pairs are new."""
    added = 0
    for i in range(len(citizens)):
        at = find_pair(pairs, citizens[i], postings[i])
        if pairs[at].key < 0:
            pairs[at].key = np.int64(citizens[i]) << 32 | np.int64(postings[i])
            added += 1
        pairs[at].alerted = max(pairs[at].alerted, epochs[i])
    return added
