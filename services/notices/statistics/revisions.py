"""What a card said before, and what each version changed of it: as it was shown, never more (N4, N5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from services.notices.statistics.domain import Entry, Key
from services.notices.statistics.table import Cell, cell_of

Kind = Literal["first", "correction", "final", "addition", "words"]
Words = tuple[int, datetime, date, str, dict[str, Any]]


@dataclass(frozen=True)
class Change:
    """A figure before and after a version; None where there was, or is, none."""

    period: str
    group: str
    before: Cell | None
    after: Cell | None


@dataclass(frozen=True)
class Revision:
    """`words`: which of title, unit, source and the like it changed. `added`: figures of which nothing was said before."""

    version: int
    at: datetime
    as_of: date
    reason: str
    kind: Kind
    words: list[str]
    added: int
    changes: list[Change]


def revisions_of(words: Sequence[Words], history: Iterable[Entry]) -> list[Revision]:
    """Every version that is told of, oldest first as `words` are: (version, when, as of, why, about)."""
    made: dict[int, tuple[int, list[Change], bool]] = {}
    state: dict[Key, Entry] = {}
    for entry in history:
        added, changes, finals = made.get(entry.version, (0, [], True))
        old = state.get(entry.key)
        if old is None:
            added += 1
        elif (old.value, old.provisional) != (entry.value, entry.provisional):
            changes.append(
                Change(entry.period, entry.group, cell_of(old), None if entry.value is None else cell_of(entry))
            )
            finals = finals and old.value == entry.value and old.provisional
        made[entry.version] = (added, changes, finals)
        if entry.value is None:
            state.pop(entry.key, None)
        else:
            state[entry.key] = entry
    told: list[Revision] = []
    before: dict[str, Any] | None = None
    for version, at, as_of, reason, about in words:
        added, changes, finals = made.get(version, (0, [], True))
        differing = [] if before is None else [name for name in about if about[name] != before.get(name)]
        kind = _kind(version, changes, finals, added)
        told.append(Revision(version, at, as_of, reason, kind, differing, added, changes))
        before = about
    return told


def _kind(version: int, changes: Sequence[Change], finals: bool, added: int) -> Kind:
    if version == 1:
        return "first"
    if changes:
        return "final" if finals else "correction"
    return "addition" if added else "words"
