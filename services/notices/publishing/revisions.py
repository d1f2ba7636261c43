"""What changed between two revisions of a notice, field by field, and in texts word by word. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from services.notices.publishing.domain import Terms

Kind = Literal["same", "added", "removed"]
TEXTS = {"headline", "body", "summary"}
UNTOLD = {"edited_at"}
# Longer texts are compared by lines: word by word takes time that grows with the square of their length.
MOST_WORDS = 2_000
_WORDS = re.compile(r"\s+|[^\s]+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Piece:
    """A stretch of text that is in both, only in the later, or only in the earlier."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Changed:
    """One field. `pieces` are of texts alone; joined without what was added they are the earlier text."""

    field: str
    before: Any
    after: Any
    pieces: tuple[Piece, ...] = ()


def changes(before: Terms, after: Terms) -> list[Changed]:
    """Every field that differs, in the order in which a notice is read."""
    found = []
    for field in fields(Terms):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new and field.name not in UNTOLD:
            pieces = tuple(compared(old or "", new or "")) if field.name in TEXTS else ()
            found.append(Changed(field.name, old, new, pieces))
    return found


def compared(before: str, after: str) -> Iterator[Piece]:
    """The two texts as one run of pieces."""
    old, new = _parts(before, after)
    for how, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            yield Piece("same", "".join(old[a:b]))
            continue
        if a < b:
            yield Piece("removed", "".join(old[a:b]))
        if c < d:
            yield Piece("added", "".join(new[c:d]))


def _parts(before: str, after: str) -> tuple[Sequence[str], Sequence[str]]:
    words = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(words[0]), len(words[1])) <= MOST_WORDS:
        return words
    return _LINES.findall(before), _LINES.findall(after)
