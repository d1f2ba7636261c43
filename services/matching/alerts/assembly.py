"""Alerts as the records section of a Kafka batch, put together from pieces that are encoded once. Compiled.

Of a posting its fields, of a citizen the name, of a batch the headers; only the id, the distance bucket, the version of the
watch and the time of the cause are an alert's own. The layout of a record is Kafka's message format v2.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.alerts.digest import ID_LENGTH, LANES, LONGEST, STATE, WORDS, write_ids
from services.matching.engine.ahead import LINE, ask_for
from services.matching.engine.compiled import compiled
from services.matching.engine.matches import CAUSES, RULES
from shared.contracts.alert import ALERT_NAMESPACE, DISTANCE_STEP_M


def _letters(text: bytes):
    return np.frombuffer(text, np.uint8).copy()


def _list(names: tuple[str, ...]):
    """Names one after another, and where each begins."""
    ends = np.cumsum([0, *map(len, names)])
    return _letters("".join(names).encode()), ends


NAMESPACE = _letters(ALERT_NAMESPACE.bytes)
CAUSE_NAMES, CAUSE_AT = _list(CAUSES)
RULE_NAMES, RULE_AT = _list(RULES)
ID, CITIZEN, DISTANCE = _letters(b'{"id":"'), _letters(b'","citizen_id":'), _letters(b',"distance_m":')
CAUSE, VERSION = _letters(b',"why":{"cause":"'), _letters(b'","watch_version":')
RULE, REACH, WHY_ENDS = _letters(b',"rule":"'), _letters(b'","reach_m":'), _letters(b'"')
WHY, DEFERRED, CAUSED = _letters(b',"why":'), _letters(b',"deferred_until":'), _letters(b',"caused_at":"')
MADE, END, NULL, BRACE = _letters(b'","made_at":"'), _letters(b'"}'), _letters(b"null"), _letters(b"}")
NO_REACH = -1
MOMENT_LENGTH, OVERHEAD = 32, 512
ROWS_AHEAD, TEXT_AHEAD = 6, 2  # alerts
DAY_US, SECOND_US = 86_400_000_000, 1_000_000
ZERO = 48

FRAGMENT = np.dtype(
    [
        ("at", np.int64),  # the posting's fields, from the first comma on
        ("length", np.int64),
        (
            "name_at",
            np.int64,
        ),  # "\n", its subject (or itself), "\n", its urgency epoch: what an alert's id is made of after the citizen
        ("name_length", np.int64),
        ("version", np.int64),
        ("reach_m", np.int64),  # the widest circle as it is now, NO_REACH if it has none
    ],
    align=True,
)
# What a citizen's own settings add to an alert, as JSON in a text of the batch; length 0 where they add nothing.
SAID = np.dtype(
    [("why_at", np.int64), ("why_length", np.int64), ("until_at", np.int64), ("until_length", np.int64)], align=True
)


@compiled
def put(out, at, text, start, length):
    # Unsigned: an index that may be negative (and so count from the end) keeps the loop from becoming one copy.
    to, source = np.uint64(at), np.uint64(start)
    for k in range(np.uint64(length)):
        out[to + k] = text[source + k]
    return at + length


@compiled
def put_all(out, at, text):
    return put(out, at, text, 0, len(text))


@compiled
def put_number(out, at, value):
    """A number from 0 on, in decimal."""
    end, rest = at + 1, value // 10
    while rest > 0:
        end, rest = end + 1, rest // 10
    for k in range(end - 1, at - 1, -1):
        out[k] = ZERO + value % 10
        value //= 10
    return end


@compiled
def put_padded(out, at, value, width):
    for k in range(at + width - 1, at - 1, -1):
        out[k] = ZERO + value % 10
        value //= 10
    return at + width


@compiled
def put_varint(out, at, value):
    """Zigzag, as Kafka has it; from 0 on."""
    rest = np.int64(value) << 1
    while rest >= 0x80:
        out[at] = (rest & 0x7F) | 0x80
        rest >>= 7
        at += 1
    out[at] = rest
    return at + 1


@compiled
def varint_length(value):
    length, rest = 1, np.int64(value) >> 6
    while rest > 0:
        length, rest = length + 1, rest >> 7
    return length


@compiled
def put_moment(out, at, us):
    """Microseconds since 1970 as datetime.isoformat writes them in UTC (days to a date: H. Hinnant, civil_from_days)."""
    day, of_day = us // DAY_US, us % DAY_US
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    of_years = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * of_years + of_years // 4 - of_years // 100)
    month = (5 * of_year + 2) // 153
    date = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    at = put_padded(out, at, of_years + era * 400 + (month <= 2), 4)
    seconds, fraction = of_day // SECOND_US, of_day % SECOND_US
    for mark, value in ((45, month), (45, date), (84, seconds // 3_600), (58, seconds // 60 % 60), (58, seconds % 60)):
        out[at] = mark
        at = put_padded(out, at + 1, value, 2)
    if fraction > 0:
        out[at] = 46
        at = put_padded(out, at + 1, fraction, 6)
    for mark in (43, ZERO, ZERO, 58, ZERO, ZERO):
        out[at] = mark
        at += 1
    return at


@compiled
def put_why(out, at, match, citizen, reach_m):
    """The reason of an alert to whom only version and radius need telling (shared.contracts.alert.Why)."""
    at = put_all(out, at, CAUSE)
    at = put(out, at, CAUSE_NAMES, CAUSE_AT[match.cause], CAUSE_AT[match.cause + 1] - CAUSE_AT[match.cause])
    at = put_number(out, put_all(out, at, VERSION), citizen.version)
    at = put_all(out, at, RULE)
    at = put(out, at, RULE_NAMES, RULE_AT[match.rule], RULE_AT[match.rule + 1] - RULE_AT[match.rule])
    if match.rule == 0 and reach_m != NO_REACH:
        at = put_number(out, put_all(out, at, REACH), np.int64(min(np.float64(reach_m), citizen.radius_m)))
    else:
        at = put_all(out, at, WHY_ENDS)
    return put_all(out, at, BRACE)


@compiled
def put_value(out, id_, match, caused, said, spoken, name, pool, citizen, fragment, fragments, made):
    """The alert's JSON from the beginning of `out`; its length. Fields in this order are shared.contracts.Alert's."""
    at = put_all(out, put(out, put_all(out, 0, ID), id_, 0, ID_LENGTH), CITIZEN)
    at = put(out, at, pool, name.json_at, name.json_length)
    at = put_all(out, put(out, at, fragments, fragment.at, fragment.length), DISTANCE)
    if match.metres < 0:
        at = put_all(out, at, NULL)
    else:
        steps = (np.int64(match.metres * 1000) + DISTANCE_STEP_M * 1000 - 1) // (DISTANCE_STEP_M * 1000)
        at = put_number(out, at, DISTANCE_STEP_M if steps < 1 else steps * DISTANCE_STEP_M)
    if said.why_length:
        at = put(out, put_all(out, at, WHY), spoken, said.why_at, said.why_length)
    else:
        at = put_why(out, at, match, citizen, fragment.reach_m)
    at = put_all(out, at, DEFERRED)
    at = put(out, at, spoken, said.until_at, said.until_length) if said.until_length else put_all(out, at, NULL)
    at = put_all(out, put_all(out, put_all(out, at, CAUSED), caused), MADE)
    return put_all(out, put_all(out, at, made), END)


@compiled
def name_of(message, name, pool, fragment, fragments):
    """What an alert's id is made of: namespace, citizen, posting and urgency epoch; its length."""
    at = put(message, put_all(message, 0, NAMESPACE), pool, name.at, name.length)
    return put(message, at, fragments, fragment.name_at, fragment.name_length)


@compiled
def put_record(out, at, delta, name, pool, value, length, head, id_, tail):
    """The `delta`-th record of a batch: key, value and headers, each after its length."""
    sized = varint_length(name.length) + name.length + varint_length(length) + length
    at = put_varint(out, at, 2 + varint_length(delta) + sized + len(head) + ID_LENGTH + len(tail))
    out[at] = out[at + 1] = 0  # attributes, and the difference to the batch's time
    at = put_varint(out, put_varint(out, at + 2, delta), name.length)
    at = put_varint(out, put(out, at, pool, name.at, name.length), length)
    at = put_all(out, put(out, at, value, 0, length), head)
    return put_all(out, put(out, at, id_, 0, ID_LENGTH), tail)


@compiled
def ask_for_rows(match, names, fragment_of):
    ask_for(names, match.citizen)
    ask_for(fragment_of, match.posting)


@compiled
def identify(matches, names, pool, fragment_of, fragments, ids):
    """The id of each match's alert, a row of letters."""
    messages, lengths = np.empty((LANES, LONGEST), np.uint8), np.empty(LANES, np.int64)
    words, state = np.zeros((WORDS, LANES), np.uint32), np.empty((len(STATE), LANES), np.uint32)
    for first in range(0, len(matches), LANES):
        count = min(LANES, len(matches) - first)
        for n in range(first, first + count):
            if n + ROWS_AHEAD < len(matches):
                ask_for_rows(matches[n + ROWS_AHEAD], names, fragment_of)
            if n + TEXT_AHEAD < len(matches):
                match = matches[n + TEXT_AHEAD]
                ask_for(pool, names[match.citizen].at)
                ask_for(fragments, fragment_of[match.posting].name_at)
            name, fragment = names[matches[n].citizen], fragment_of[matches[n].posting]
            lengths[n - first] = name_of(messages[n - first], name, pool, fragment, fragments)
        write_ids(messages, lengths, count, words, state, ids[first : first + count])


@compiled
def ask_for_pieces(i, order, matches, names, pool, citizens, fragment_of, fragments):
    """Of the next alerts: first what says where their pieces are, then the pieces."""
    if i + ROWS_AHEAD < len(order):
        match = matches[order[i + ROWS_AHEAD]]
        ask_for_rows(match, names, fragment_of)
        ask_for(citizens, match.citizen)
    if i + TEXT_AHEAD < len(order):
        match = matches[order[i + TEXT_AHEAD]]
        ask_for(pool, names[match.citizen].at)
        fragment = fragment_of[match.posting]
        for at in range(fragment.at, fragment.at + fragment.length, LINE):
            ask_for(fragments, at)


@compiled
def assemble(
    i, order, matches, ids, caused_us, said, spoken, names, pool, citizens, fragment_of, fragments, frame, out
):
    """Records of the matches in `order` from the i-th on, until `out` is full: (the next, records, bytes).

    `frame` are the headers before the id's letters and after them, and the time of making.
    """
    head, tail, made = frame
    value = np.empty(len(out), np.uint8)
    moment, moment_us, caused = np.empty(MOMENT_LENGTH, np.uint8), np.int64(-1), np.empty(0, np.uint8)
    at = first = i
    at = 0
    while i < len(order):
        ask_for_pieces(i, order, matches, names, pool, citizens, fragment_of, fragments)
        nth = order[i]
        match, id_ = matches[nth], ids[nth]
        name, fragment = names[match.citizen], fragment_of[match.posting]
        most = fragment.length + name.json_length + name.length + said[nth].why_length + said[nth].until_length
        if at + most + len(head) + len(tail) + OVERHEAD > len(out):
            break
        if caused_us[nth] != moment_us:  # the alerts of one fix, and mostly of its neighbours, have one cause
            moment_us = caused_us[nth]
            caused = moment[: put_moment(moment, 0, moment_us)]
        length = put_value(
            value, id_, match, caused, said[nth], spoken, name, pool, citizens[match.citizen], fragment, fragments, made
        )  # fmt: skip
        at = put_record(out, at, i - first, name, pool, value, length, head, id_, tail)
        i += 1
    return i, i - first, at
