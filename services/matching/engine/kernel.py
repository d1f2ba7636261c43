"""The hot loops, compiled by Numba: plain loops over records, one pass, no objects. See tables.py for the records.

Rules are named as in the product's terms: M1 enter and exit, M3 event time, M9 consent. `used` counts the pairs held;
functions that may add some return it.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from services.matching.engine.ahead import ask_for
from services.matching.engine.compiled import compiled
from services.matching.engine.matches import IN_DONG, WITHIN_RADIUS
from services.matching.engine.meeting import find_pair, home_of, meet, meet_resident, wants
from services.matching.engine.tables import ANEW, DOUBT, SHARED_BIT
from services.matching.engine.zones import (
    BEYOND,
    INSIDE,
    RIM,
    find_cell,
    haversine_m,
    is_far,
    is_well_within,
    zone_of,
)  # fmt: skip

ACCEPTED, REFUSED, INACCURATE, LATE, IMPLAUSIBLE = 0, 1, 2, 3, 4
OUTCOMES = ("accepted", "refused", "inaccurate", "late", "implausible")
AHEAD = 3  # fixes
BEGINNING, OF_A_LINE = 64, 3  # rows of NEAR
NOWHERE = (np.nan, np.nan, 1.0, np.int64(-1))


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
    known = citizen.located and not math.isnan(citizen.lat)
    return known and citizen.observed_ms >= now_ms - stale_ms and citizen.fix_epoch == citizen.consent_epoch


@compiled
def write_match(row, c, citizen, shape):
    """Metres are kept until the alert is written, and only as a bucket then (M10)."""
    circle = shape.radius_m > 0
    row.citizen, row.posting, row.fix = c, shape.posting, -1
    row.rule = WITHIN_RADIUS if circle else IN_DONG
    row.metres = haversine_m(citizen.lat, citizen.lon, shape.lat, shape.lon) if circle else -1.0


@compiled
def left_open(citizen, was, entry, pool, shapes, doubts):
    """Shapes of a cell of which a glance does not tell that the citizen was and is inside, or was and is beyond; how many."""
    was_lat, was_lon, was_cos, _ = was
    new, cap_m = math.isnan(was_lat), citizen.radius_m
    lat, lon, cos_lat, found = citizen.lat, citizen.lon, math.cos(math.radians(citizen.lat)), 0
    for k in range(entry.start, entry.start + entry.length):
        near = pool[k]
        beyond = is_far(lat, lon, cos_lat, near) & (new | is_far(was_lat, was_lon, was_cos, near))
        within = is_well_within(lat, lon, cos_lat, cap_m, near) & is_well_within(was_lat, was_lon, was_cos, cap_m, near)
        doubts[found].shape = near.shape
        found += not (beyond | within)  # no branch: which way it went could not be foreseen
    for n in range(found):
        ask_for(shapes, doubts[n].shape)
    return found


@compiled
def changed(c, citizen, dong, was, found, doubts, shapes, postings, pairs):
    """Of the shapes left open those that the citizen came to or left, or whose rim they are in; how many."""
    was_lat, was_lon, was_cos, was_dong = was
    came, cos_lat, kept = not math.isnan(was_lat), math.cos(math.radians(citizen.lat)), 0
    for n in range(found):
        shape = shapes[doubts[n].shape]
        zone = zone_of(citizen.lat, citizen.lon, cos_lat, dong, citizen.radius_m, shape)
        before = zone_of(was_lat, was_lon, was_cos, was_dong, citizen.radius_m, shape) if came else BEYOND
        if zone == before and zone != RIM:
            continue
        ask_for(postings, shape.posting)
        ask_for(pairs, home_of(c, shape.posting, pairs))
        doubts[kept].shape, doubts[kept].zone, doubts[kept].before = doubts[n].shape, zone, before
        kept += 1
    return kept


@compiled
def scan_cell(c, dong, was, entry, now_ms, citizens, postings, shapes, pool, pairs, used, doubts, out, written):
    """Meet every posting of the cell a citizen stands in; matches go to `out` from `written` on.

    `was` is (lat, lon, cos of lat, dong) at the fix before, NaN if there was none or nothing moved. Whoever was inside
    then and is inside now has been decided already: whatever else changed meanwhile was looked at when it did.
    """
    citizen = citizens[c]
    came = not math.isnan(was[0])
    patience = 2 if came else 0
    found = left_open(citizen, was, entry, pool, shapes, doubts)
    for n in range(changed(c, citizen, dong, was, found, doubts, shapes, postings, pairs)):
        shape = shapes[doubts[n].shape]
        posting = postings[shape.posting]
        if not posting.open or posting.expires_ms <= now_ms or not wants(citizen, posting):
            continue
        zone, before = doubts[n].zone, doubts[n].before
        alert, used = meet(c, citizen, shape.posting, posting, zone, before, patience, now_ms, pairs, used)
        if alert:
            write_match(out[written], c, citizen, shape)
            written += 1
    return written, used


@compiled
def leave_cell(c, dong, was, entry, citizens, shapes, pool, pairs):
    """Note the circles that a citizen was inside at the fix before and is beyond now, in another cell (M1)."""
    citizen = citizens[c]
    was_lat, was_lon, was_cos, was_dong = was
    cos_lat = math.cos(math.radians(citizen.lat))
    for k in range(entry.start, entry.start + entry.length):
        near = pool[k]
        if is_far(was_lat, was_lon, was_cos, near):
            continue
        shape = shapes[near.shape]
        before = zone_of(was_lat, was_lon, was_cos, was_dong, citizen.radius_m, shape)
        if before == INSIDE and zone_of(citizen.lat, citizen.lon, cos_lat, dong, citizen.radius_m, shape) == BEYOND:
            slot = find_pair(pairs, c, shape.posting)
            if pairs[slot].key >= 0:
                pairs[slot].together = max(pairs[slot].together, citizen.fix_count - 1)


@compiled
def move(citizen, fix, now_ms, stale_ms):
    """Put a citizen where an accepted fix says; where they were, NOWHERE if not heard of for long.

    Who was not heard of was not looked at when postings changed, so counts as coming anew.
    """
    heard = may_match(citizen, now_ms, stale_ms) and fix.epoch == citizen.fix_epoch
    was = NOWHERE
    if heard:
        was = (citizen.lat, citizen.lon, math.cos(math.radians(citizen.lat)), np.int64(citizen.dong))
    citizen.lat, citizen.lon, citizen.accuracy_m = fix.lat, fix.lon, fix.accuracy_m
    citizen.observed_ms, citizen.dong, citizen.fix_epoch = fix.observed_ms, fix.dong, fix.epoch
    citizen.fix_count += 1 if heard else ANEW
    return was


@compiled
def ask_for_next(i, fixes, slots, citizens, cells, pool):
    """Of the fixes to come: the citizen, and the beginning of the cell's run (of the rest the processor sees that it is read on)."""
    if i + AHEAD < len(fixes):
        ask_for(citizens, fixes[i + AHEAD].citizen)
        at = slots[i + AHEAD]
        if at >= 0:
            start = cells[at].start
            for k in range(start, start + min(cells[at].length, BEGINNING), OF_A_LINE):
                ask_for(pool, k)


@compiled
def take_fixes(i, fixes, limits, now_ms, citizens, postings, shapes, cells, pool, pairs, used, room, outcome, out):
    """Apply fixes in order from the i-th. Stops early when pairs or output run out of room; call again from there.

    Returns (the next fix, matches written, pairs used).
    """
    max_accuracy_m, max_speed_m_s, stale_ms = limits
    written, doubts, slots = 0, np.empty(len(out), DOUBT), np.empty(len(fixes), np.int64)
    for n in range(i, len(fixes)):
        slots[n] = find_cell(fixes[n].lat, fixes[n].lon, cells)
    while i < len(fixes):
        ask_for_next(i, fixes, slots, citizens, cells, pool)
        fix, at = fixes[i], slots[i]
        citizen = citizens[fix.citizen]
        candidates = cells[at].length if at >= 0 else 0
        if used + candidates > room or written + candidates > len(out):
            break
        outcome[i] = gate(
            citizen, fix.lat, fix.lon, fix.accuracy_m, fix.observed_ms, fix.epoch, max_accuracy_m, max_speed_m_s
        )
        if outcome[i] == ACCEPTED:
            was = move(citizen, fix, now_ms, stale_ms)
            left = find_cell(was[0], was[1], cells) if not math.isnan(was[0]) else at
            if left >= 0 and left != at:
                leave_cell(fix.citizen, fix.dong, was, cells[left], citizens, shapes, pool, pairs)
            if at >= 0 and may_match(citizen, now_ms, stale_ms):
                first = written
                written, used = scan_cell(
                    fix.citizen, fix.dong, was, cells[at], now_ms, citizens, postings, shapes, pool, pairs, used, doubts, out, written
                )  # fmt: skip
                for m in range(first, written):
                    out[m].fix = i
        i += 1
    return i, written, used


@compiled
def look_again(i, who, dongs, stale_ms, now_ms, citizens, postings, shapes, cells, pool, pairs, used, room, out):
    """Evaluate citizens where they stand: their watch changed, a window began, or they were just restored."""
    written, doubts = 0, np.empty(len(out), DOUBT)
    while i < len(who):
        citizen = citizens[who[i]]
        if may_match(citizen, now_ms, stale_ms):
            at = find_cell(citizen.lat, citizen.lon, cells)
            if at >= 0:
                if used + cells[at].length > room or written + cells[at].length > len(out):
                    break
                written, used = scan_cell(
                    who[i], dongs[i], NOWHERE, cells[at], now_ms, citizens, postings, shapes, pool, pairs, used, doubts, out, written
                )  # fmt: skip
        i += 1
    return i, written, used


@compiled
def look_around(i, who, what, dongs, stale_ms, now_ms, citizens, postings, shapes, pairs, used, room, out):
    """Evaluate citizens for shapes of postings that opened, changed or grew and that they may be near to."""
    written = 0
    while i < len(who):
        if used + 1 > room or written + 1 > len(out):
            break
        c, citizen, shape = who[i], citizens[who[i]], shapes[what[i]]
        posting, cos_lat = postings[shape.posting], math.cos(math.radians(citizen.lat))
        zone = zone_of(citizen.lat, citizen.lon, cos_lat, dongs[i], citizen.radius_m, shape)
        asked = zone != BEYOND and may_match(citizen, now_ms, stale_ms) and posting.expires_ms > now_ms
        if asked and wants(citizen, posting):
            alert, used = meet(c, citizen, shape.posting, posting, zone, BEYOND, 0, now_ms, pairs, used)
            if alert:
                write_match(out[written], c, citizen, shape)
                written += 1
        i += 1
    return i, written, used


@compiled
def look_at_residents(i, who, what, rules, now_ms, citizens, postings, pairs, used, room, out):
    """Evaluate pairs of a citizen and a posting that concerns them wherever they are, and though nowhere known."""
    written = 0
    while i < len(who):
        if used + 1 > room or written + 1 > len(out):
            break
        citizen, posting = citizens[who[i]], postings[what[i]]
        if posting.open and posting.expires_ms > now_ms and wants(citizen, posting):
            alert, used = meet_resident(who[i], citizen, what[i], posting, now_ms, pairs, used)
            if alert:
                row = out[written]
                row.citizen, row.posting, row.rule, row.metres, row.fix = who[i], what[i], rules[i], -1.0, -1
                written += 1
        i += 1
    return i, written, used


@compiled
def doubtful(matches, citizens, postings):
    """Which of the matches only words can decide: what is muted, who is not to be told, interests that share a bit."""
    found, count = np.empty(len(matches), np.int64), 0
    for n in range(len(matches)):
        citizen, posting = citizens[matches[n].citizen], postings[matches[n].posting]
        if citizen.picky or posting.excluding or (citizen.interests & posting.interests) >> SHARED_BIT > 0:
            found[count] = n
            count += 1
    return found[:count]
