"""Search in Korean: what is asked for, and where it stands in a text. Pure.

Letters are compared in pairs, spaces left out: "물놀이장" finds "물놀이 장", and two letters inside a word are found as well as
its beginning. Trigrams, which PostgreSQL has, are too long for Korean, whose words often have two letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from shared.rules import Refused

SNIPPET = 160
_SPACES = re.compile(r"[\s\u00a0\u3000]+")
_LOWER = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


@dataclass(frozen=True)
class Query:
    """Words that must all stand in a notice; at least one has two letters."""

    words: tuple[str, ...]

    @property
    def pairs(self) -> list[str]:
        """Every pair of neighbouring letters of the words: what the index is asked for first."""
        return sorted({word[n : n + 2] for word in self.words for n in range(len(word) - 1)})


@dataclass(frozen=True)
class Piece:
    """A stretch of text, found or around what was found. Plain text: whoever shows it makes it bold their own way."""

    text: str
    found: bool


def squeezed(text: str) -> str:
    """As the database's function of this name: composed letters, no spaces, ASCII in lower case."""
    return _SPACES.sub("", unicodedata.normalize("NFC", text)).translate(_LOWER)


def asked(text: str) -> Query:
    """The words of a query, each once. Raises Refused where no word has two letters."""
    words = tuple(dict.fromkeys(word for part in _SPACES.split(text) if (word := squeezed(part))))
    if not any(len(word) > 1 for word in words):
        raise Refused("q", "too-short", "a word of at least two letters is needed")
    return Query(words)


def highlighted(text: str, query: Query) -> list[Piece]:
    """The whole text in pieces; joined they are the text, its letters composed."""
    composed = unicodedata.normalize("NFC", text)
    pieces, at = [], 0
    for start, end in _hits(composed, query):
        if at < start:
            pieces.append(Piece(composed[at:start], False))
        pieces.append(Piece(composed[start:end], True))
        at = end
    return [*pieces, Piece(composed[at:], False)] if at < len(composed) else pieces


def snippet(text: str, query: Query, most: int = SNIPPET) -> list[Piece]:
    """A part of the text around the first place found, highlighted; its beginning where nothing is."""
    composed = unicodedata.normalize("NFC", text)
    first = next(iter(_hits(composed, query)), (0, 0))[0]
    start = max(0, first - most // 4)
    cut = composed[start : start + most]
    before, after = "…" if start else "", "…" if start + most < len(composed) else ""
    return highlighted(f"{before}{cut}{after}", query)


def _hits(text: str, query: Query) -> Iterator[tuple[int, int]]:
    """Where the words stand, from left to right, none over another; longer ones first."""
    words = sorted(query.words, key=len, reverse=True)
    pattern = "|".join(r"[\s\u00a0\u3000]*".join(map(re.escape, word)) for word in words)
    for hit in re.finditer(pattern, text, re.IGNORECASE | re.ASCII):
        yield hit.span()
