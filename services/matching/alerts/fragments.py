"""Of each posting what all of its alerts have in common, encoded once per version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from services.matching.alerts.assembly import FRAGMENT, NO_REACH
from services.matching.alerts.digest import ID_LENGTH
from services.matching.engine.fixes import Text
from services.matching.engine.tables import I64, Rows
from shared.contracts import Posting

SHARED = (
    "urgency_epoch", "urgent", "emergency", "kind", "headline", "institution", "starts_at", "ends_at", "expires_at", "link",
)  # fmt: skip
ID_AT = len(',"posting_id":"')
_encode = msgspec.json.Encoder().encode


class Fragments:
    """Rows of FRAGMENT, by the engine's rows of postings, and the bytes they point into."""

    def __init__(self) -> None:
        self.rows: Rows = np.zeros(1 << 10, FRAGMENT)
        self.text: Text = np.zeros(1 << 16, np.uint8)
        self._used = self._wasted = 0

    def stale(self, postings: I64, versions: I64) -> list[int]:
        """Of these rows of postings, those whose fragment is not of the version they have now."""
        if len(versions) > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros(len(versions), FRAGMENT)])
        wanted = postings[self.rows["version"][postings] != versions[postings]]
        return np.unique(wanted).tolist() if len(wanted) else []

    def put(self, rows: Sequence[int], postings: Sequence[Posting], dongs: Sequence[str | None]) -> None:
        """Encode so many at once."""
        if not rows:
            return
        fields = [encoded(posting, dong) for posting, dong in zip(postings, dongs, strict=True)]
        names = [_name(posting, text) for posting, text in zip(postings, fields, strict=True)]
        text = b"".join([piece for pair in zip(fields, names, strict=True) for piece in pair])
        self._wasted += int((self.rows["length"][rows] + self.rows["name_length"][rows]).sum())
        self._make_room(len(text))
        self.text[self._used : self._used + len(text)] = np.frombuffer(text, np.uint8)
        lengths = np.array([[len(one) for one in fields], [len(one) for one in names]], np.int64)
        ends = self._used + lengths.sum(axis=0).cumsum()
        self._used += len(text)
        columns = self.rows
        columns["length"][rows], columns["name_length"][rows] = lengths
        columns["name_at"][rows], columns["at"][rows] = ends - lengths[1], ends - lengths.sum(axis=0)
        columns["version"][rows] = [posting.version for posting in postings]
        columns["reach_m"][rows] = [
            max((circle.radius_m for circle in posting.where.circles), default=NO_REACH) for posting in postings
        ]

    def drop(self, row: int) -> None:
        if row < len(self.rows):
            self._wasted += int(self.rows["length"][row] + self.rows["name_length"][row])
            self.rows[row] = np.zeros((), FRAGMENT)

    def _make_room(self, more: int) -> None:
        """Larger, or where half of it is of no use any more, the rest moved together."""
        if self._used + more <= len(self.text):
            return
        if self._wasted * 2 <= self._used:
            grown = np.empty(len(self.text) * 2 + more, np.uint8)
            grown[: self._used] = self.text[: self._used]
            self.text = grown
            return
        old, self._used, self._wasted = self.text, 0, 0
        self.text = np.zeros(len(old) + more, np.uint8)
        for row in np.flatnonzero(self.rows["version"]).tolist():
            at, length, name_at, name_length = (
                int(self.rows[n][row]) for n in ("at", "length", "name_at", "name_length")
            )
            self.text[self._used : self._used + length + name_length] = old[at : name_at + name_length]
            self.rows["at"][row], self.rows["name_at"][row] = self._used, self._used + length
            self._used += length + name_length


def encoded(posting: Posting, dong: str | None) -> bytes:
    """Its fields in an alert, each after a comma."""
    held: Mapping[str, Any] = vars(posting)
    fields: dict[str, Any] = {"posting_id": posting.id, "posting_version": posting.version}
    fields |= {name: held[name] for name in SHARED}
    shows: Mapping[str, Any] = vars(posting.shows)
    return b"," + _encode({**fields, "shows": shows, "dong": dong})[1:-1]


def _name(posting: Posting, fields: bytes) -> bytes:
    """What an alert's id is made of after the citizen. The posting's own id is in its fields already, as text."""
    subject = fields[ID_AT : ID_AT + ID_LENGTH] if posting.subject is None else str(posting.subject).encode()
    return b"\n%b\n%d" % (subject, posting.urgency_epoch)
