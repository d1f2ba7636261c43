"""What is known of many alerts at a time before they are put together (assembly.py). Compiled."""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled
from services.matching.engine.matches import CAUSES

CITIZEN_MOVED, POSTING_CHANGED, WATCH_CHANGED = map(CAUSES.index, ("citizen_moved", "posting_changed", "watch_changed"))


@compiled
def causes_of(matches, received_us, now_us, postings, citizens):
    """When what caused each alert happened, in µs since 1970: `now_us` where nothing that was received did."""
    caused_us = np.empty(len(matches), np.int64)
    for n in range(len(matches)):
        match = matches[n]
        if match.cause == CITIZEN_MOVED:
            caused_us[n] = received_us[match.fix]
        elif match.cause == POSTING_CHANGED:
            caused_us[n] = postings[match.posting].changed_us
        elif match.cause == WATCH_CHANGED:
            caused_us[n] = citizens[match.citizen].changed_us
        else:
            caused_us[n] = now_us
    return caused_us


@compiled
def by_partition(matches, citizens, partitions):
    """Which matches are each partition's, one partition after another, in the order they came; and where each begins and ends."""
    counts, order = np.zeros(partitions + 1, np.int64), np.empty(len(matches), np.int64)
    for n in range(len(matches)):
        counts[citizens[matches[n].citizen].partition + 1] += 1
    bounds = np.cumsum(counts)
    free = bounds.copy()
    for n in range(len(matches)):
        partition = citizens[matches[n].citizen].partition
        order[free[partition]] = n
        free[partition] += 1
    return order, bounds


@compiled
def tally(matches, postings, counts):
    """Counts the alerts: so many of each kind of posting (its bit) and cause."""
    for n in range(len(matches)):
        match = matches[n]
        counts[postings[match.posting].kind * len(CAUSES) + match.cause] += 1
