"""Whether a citizen and a posting that concern each other meet, and what is remembered of it. Compiled.

Kind, interests, age and windows (J2); presence with its exit rim (M1); once per urgency epoch. `used` counts the pairs held;
functions that may add some return it.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled
from services.matching.engine.tables import LONG_AGO, NEVER_MS
from services.matching.engine.zones import BEYOND, INSIDE, RIM

JOB_BIT = 1


@compiled
def home_of(c, p, pairs):
    """The slot from which a pair is looked for."""
    key = np.uint64(np.int64(c) << 32 | np.int64(p))
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & np.int64(len(pairs) - 1)


@compiled
def find_pair(pairs, c, p):
    """The pair's slot, or the free one where it would go."""
    key = np.int64(c) << 32 | np.int64(p)
    mask = np.int64(len(pairs) - 1)
    at = home_of(c, p, pairs)
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
def tell_once(pairs, slot, epoch):
    """Whether a pair is to be told now: once per urgency epoch, whatever it was that brought the two together (J2)."""
    if pairs[slot].alerted >= epoch:
        return False
    pairs[slot].alerted = epoch
    return True


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
    return free_for(citizen, posting, now_ms) and tell_once(pairs, slot, posting.epoch), used


@compiled
def meet_resident(c, citizen, p, posting, now_ms, pairs, used):
    """A citizen whom a posting that they want concerns wherever they are (see residents.py)."""
    slot = find_pair(pairs, c, p)
    if pairs[slot].key < 0:
        pairs[slot].key = np.int64(c) << 32 | np.int64(p)
        used += 1
    return free_for(citizen, posting, now_ms) and tell_once(pairs, slot, posting.epoch), used


@compiled
def part(anew, pairs):
    """Of postings whose place, or whom they are for, changed nobody is present any more, whatever was before."""
    for i in range(len(pairs)):
        if pairs[i].key >= 0 and anew[pairs[i].key & 0xFFFFFFFF]:
            pairs[i].together = LONG_AGO


@compiled
def count_pairs(pairs, keep_posting):
    """How many are of postings that are not gone."""
    count = 0
    for i in range(len(pairs)):
        count += pairs[i].key >= 0 and keep_posting[pairs[i].key & 0xFFFFFFFF]
    return count


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
