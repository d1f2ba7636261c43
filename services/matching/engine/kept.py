"""Postings as the contract has them, by row: of all the text, of those asked for lately the object, ten times as large."""

from __future__ import annotations

from shared.contracts import Posting

RECENT = 4_000


class Kept:
    """Reads like a list; what was not asked for lately is parsed anew."""

    def __init__(self) -> None:
        self._texts: list[bytes | None] = []
        self._lately: dict[int, Posting] = {}
        self._before: dict[int, Posting] = {}

    def append(self, nothing: None) -> None:
        """A row of which nothing is known yet."""
        self._texts.append(nothing)

    def __setitem__(self, row: int, posting: Posting) -> None:
        self._texts[row] = posting.model_dump_json(exclude_defaults=True).encode()
        self._before.pop(row, None)
        self._remember(row, posting)

    def __getitem__(self, row: int) -> Posting | None:
        found = self._lately.get(row)
        if found is not None:
            return found
        text, found = self._texts[row], self._before.get(row)
        if text is None:
            return None
        found = found or Posting.model_validate_json(text)
        self._remember(row, found)
        return found

    def _remember(self, row: int, posting: Posting) -> None:
        """At least the last so many, at most twice as many."""
        if len(self._lately) >= RECENT:
            self._before, self._lately = self._lately, {}
        self._lately[row] = posting
