"""Of each posting what all of its alerts have in common, encoded once per version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from services.matching.alerts.assembly import FRAGMENT, NO_REACH
from services.matching.engine.fixes import Text
from services.matching.engine.tables import I64, Rows
from shared.contracts import Posting

SHARED = (
    "urgency_epoch", "urgent", "emergency", "kind", "headline", "institution", "starts_at", "ends_at", "expires_at", "link",
)  # fmt: skip
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

    def put(self, row: int, posting: Posting, dong: str | None) -> None:
        fields, name = encoded(posting, dong), f"\n{posting.subject or posting.id}\n{posting.urgency_epoch}".encode()
        self._wasted += int(self.rows["length"][row] + self.rows["name_length"][row])
        self._make_room(len(fields) + len(name))
        at = self._used
        self.text[at : at + len(fields) + len(name)] = np.frombuffer(fields + name, np.uint8)
        self._used += len(fields) + len(name)
        widest_m = max((circle.radius_m for circle in posting.where.circles), default=NO_REACH)
        self.rows[row] = at, len(fields), at + len(fields), len(name), posting.version, widest_m

    def drop(self, row: int) -> None:
        if row < len(self.rows):
            self._wasted += int(self.rows["length"][row] + self.rows["name_length"][row])
            self.rows[row] = np.zeros((), FRAGMENT)

    def _make_room(self, more: int) -> None:
        """Larger, or where half of it is of no use any more, the rest moved together."""
        if self._used + more <= len(self.text):
            return
        if self._wasted * 2 <= self._used:
            self.text = np.concatenate([self.text, np.zeros(len(self.text) + more, np.uint8)])
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
    fields: dict[str, Any] = {"posting_id": posting.id, "posting_version": posting.version}
    fields |= {name: getattr(posting, name) for name in SHARED}
    shows: Mapping[str, Any] = vars(posting.shows)
    return b"," + _encode({**fields, "shows": shows, "dong": dong})[1:-1]
