"""Alert ids in compiled code: version 5 UUIDs (RFC 9562 §5.5) by SHA-1 (RFC 3174), as text. Compiled.

SHA-1 names an alert here and protects nothing.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled

BLOCK = 64
STATE = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], np.uint32)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
DASH = 45


@compiled
def rotated(x, bits):
    return np.uint32((x << np.uint32(bits)) | (x >> np.uint32(32 - bits)))


@compiled
def absorb(message, at, state, words):
    """One block of 64 bytes into the state."""
    for t in range(16):
        k = at + 4 * t
        words[t] = (
            (np.uint32(message[k]) << np.uint32(24))
            | (np.uint32(message[k + 1]) << np.uint32(16))
            | (np.uint32(message[k + 2]) << np.uint32(8))
            | np.uint32(message[k + 3])
        )
    for t in range(16, 80):
        words[t] = rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1)
    a, b, c, d, e = state[0], state[1], state[2], state[3], state[4]
    for t in range(80):
        if t < 20:
            f, k32 = d ^ (b & (c ^ d)), np.uint32(0x5A827999)
        elif t < 40:
            f, k32 = b ^ c ^ d, np.uint32(0x6ED9EBA1)
        elif t < 60:
            f, k32 = (b & c) | (d & (b | c)), np.uint32(0x8F1BBCDC)
        else:
            f, k32 = b ^ c ^ d, np.uint32(0xCA62C1D6)
        a, b, c, d, e = np.uint32(rotated(a, 5) + f + e + k32 + words[t]), a, rotated(b, 30), c, d
    state[0], state[1], state[2] = state[0] + a, state[1] + b, state[2] + c
    state[3], state[4] = state[3] + d, state[4] + e


@compiled
def write_id(message, length, state, words, out, at):
    """The UUID of a message (namespace and name), as 36 letters; the message is padded where it lies. Returns where it ends."""
    end = (length + 8) // BLOCK * BLOCK + BLOCK
    message[length] = 0x80
    message[length + 1 : end] = 0
    bits = np.int64(length) * 8
    for k in range(8):
        message[end - 1 - k] = (bits >> (8 * k)) & 0xFF
    state[:] = STATE
    for block in range(0, end, BLOCK):
        absorb(message, block, state, words)
    state[1] = (state[1] & np.uint32(0xFFFF0FFF)) | np.uint32(0x5000)
    state[2] = (state[2] & np.uint32(0x3FFFFFFF)) | np.uint32(0x80000000)
    for nibble in range(32):
        if nibble == 8 or nibble == 12 or nibble == 16 or nibble == 20:
            out[at] = DASH
            at += 1
        out[at] = HEX[(state[nibble >> 3] >> np.uint32(28 - 4 * (nibble & 7))) & np.uint32(15)]
        at += 1
    return at
