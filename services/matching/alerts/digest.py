"""Alert ids in compiled code: version 5 UUIDs (RFC 9562 §5.5) by SHA-1 (RFC 3174), as text, of several messages side by side.

SHA-1 names an alert here and protects nothing. A message takes a lane of the processor's wide registers; the steps of one
wait for each other, those of sixteen take hardly longer.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from services.matching.engine.compiled import compiled

LANES, BLOCK, WORDS = 16, 64, 16
LONGEST = 2_048  # bytes of a message, padded
ID_LENGTH = 36
STATE = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], np.uint32)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
DASH = 45
ROW = ir.VectorType(ir.IntType(32), LANES)


class _Steps:
    """SHA-1's arithmetic on a row of lanes, as instructions."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def each(self, number: int) -> Any:
        return ir.Constant(ROW, [number] * LANES)

    def rotated(self, row: Any, bits: int) -> Any:
        left, right = self.each(bits), self.each(32 - bits)
        return self._builder.or_(self._builder.shl(row, left), self._builder.lshr(row, right))

    def xor(self, first: Any, *rows: Any) -> Any:
        for row in rows:
            first = self._builder.xor(first, row)
        return first

    def sum(self, first: Any, *rows: Any) -> Any:
        for row in rows:
            first = self._builder.add(first, row)
        return first

    def choice(self, t: int, b: Any, c: Any, d: Any) -> tuple[Any, Any]:
        """The function and the constant of the t-th step."""
        both = self._builder.and_
        if t < 20:
            return self.xor(d, both(b, self.xor(c, d))), self.each(0x5A827999)
        if 40 <= t < 60:
            return self._builder.or_(both(b, c), both(d, self._builder.or_(b, c))), self.each(0x8F1BBCDC)
        return self.xor(b, c, d), self.each(0x6ED9EBA1 if t < 40 else 0xCA62C1D6)


def _absorbing(_typing: Any, words: Any, state: Any) -> Any:
    """A block of each lane, as 16 rows of words, into the lanes' states, which are 5 rows."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tables = [
            context.make_array(kind)(context, builder, v).data
            for kind, v in zip(signature.args, arguments, strict=True)
        ]
        block, held = (builder.bitcast(data, ROW.as_pointer()) for data in tables)
        steps, index = _Steps(builder), ir.IntType(32)
        w = [builder.load(builder.gep(block, [index(t)]), align=4) for t in range(WORDS)]
        places = [builder.gep(held, [index(n)]) for n in range(len(STATE))]
        before = [builder.load(place, align=4) for place in places]
        a, b, c, d, e = before
        for t in range(80):
            if t >= WORDS:
                w.append(steps.rotated(steps.xor(w[t - 3], w[t - 8], w[t - 14], w[t - 16]), 1))
            a, b, c, d, e = (
                steps.sum(steps.rotated(a, 5), *steps.choice(t, b, c, d), e, w[t]),
                a,
                steps.rotated(b, 30),
                c,
                d,
            )
        for place, old, new in zip(places, before, (a, b, c, d, e), strict=True):
            builder.store(builder.add(old, new), place, align=4)
        return context.get_dummy_value()

    return types.void(words, state), emit


absorb: Any = intrinsic(_absorbing)


@compiled
def pad(message, length):
    """As SHA-1 wants it, where it lies; how many blocks it has."""
    end = (length + 8) // BLOCK * BLOCK + BLOCK
    message[length] = 0x80
    message[length + 1 : end] = 0
    bits = np.int64(length) * 8
    for k in range(4):
        message[end - 1 - k] = (bits >> (8 * k)) & 0xFF
    return end // BLOCK


@compiled
def lay(message, block, lane, words):
    """A block's words into their lane."""
    at = block * BLOCK
    for t in range(WORDS):
        k = np.uint64(at + 4 * t)
        words[t, lane] = (
            (np.uint32(message[k]) << np.uint32(24))
            | (np.uint32(message[k + np.uint64(1)]) << np.uint32(16))
            | (np.uint32(message[k + np.uint64(2)]) << np.uint32(8))
            | np.uint32(message[k + np.uint64(3)])
        )


@compiled
def spell(state, lane, out):
    """A lane's UUID as 36 letters."""
    at = 0
    for nibble in range(32):
        word = state[nibble >> 3, lane]
        if nibble == 12:
            word = np.uint32(0x5000)
        elif nibble == 16:
            word = (word & np.uint32(0x3FFFFFFF)) | np.uint32(0x80000000)
        if nibble == 8 or nibble == 12 or nibble == 16 or nibble == 20:
            out[at] = DASH
            at += 1
        out[at] = HEX[(word >> np.uint32(28 - 4 * (nibble & 7))) & np.uint32(15)]
        at += 1


@compiled
def write_ids(messages, lengths, count, words, state, out):
    """The UUIDs of up to LANES messages (namespace and name), a row each, which are padded where they lie."""
    blocks, most = np.empty(LANES, np.int64), 0
    for lane in range(count):
        blocks[lane] = pad(messages[lane], lengths[lane])
        most = max(most, blocks[lane])
    for n in range(len(STATE)):
        state[n, :] = STATE[n]
    for block in range(most):
        for lane in range(count):
            if block < blocks[lane]:
                lay(messages[lane], block, lane, words)
        absorb(words, state)
        for lane in range(count):
            if block == blocks[lane] - 1:
                spell(state, lane, out[lane])
