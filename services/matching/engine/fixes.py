"""A batch of fixes as one table, in the order they were taken in; citizens are named by bytes of a text beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.tables import Rows

Text = NDArray[np.uint8]

FIX = np.dtype(
    [
        ("citizen", np.int64),  # row of the citizen, once the engine has looked it up
        ("id_at", np.int64),  # the citizen's id: UTF-8 in `Fixes.text`
        ("id_length", np.int64),
        ("lat", np.float64),
        ("lon", np.float64),
        ("accuracy_m", np.float64),
        ("observed_ms", np.int64),
        ("received_us", np.int64),
        ("dong", np.int64),
        ("body_at", np.int64),  # the record's body, as it was read
        ("body_length", np.int64),
        ("offset", np.int64),
        ("partition", np.int32),
        ("epoch", np.int32),
        ("canonical", np.bool_),
    ],
    align=True,
)


@dataclass(frozen=True)
class Fixes:
    """Rows of FIX and the text that they point into."""

    rows: Rows
    text: Text

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def citizen_ids(self) -> list[str]:
        spans = zip(self.rows["id_at"].tolist(), self.rows["id_length"].tolist(), strict=True)
        return [self.text[at : at + length].tobytes().decode() for at, length in spans]

    @classmethod
    def of(
        cls, citizen_ids: Sequence[str], partitions: Sequence[int], numbers: Sequence[tuple[float | int, ...]]
    ) -> Fixes:
        """From objects; `numbers` are (lat, lon, accuracy_m, observed_ms, received_us, consent epoch)."""
        rows, names = np.zeros(len(citizen_ids), FIX), [citizen.encode() for citizen in citizen_ids]
        lengths = np.array([len(name) for name in names], np.int64)
        rows["id_at"], rows["id_length"], rows["partition"] = np.cumsum(lengths) - lengths, lengths, partitions
        columns = ("lat", "lon", "accuracy_m", "observed_ms", "received_us", "epoch")
        for nth, name in enumerate(columns):
            rows[name] = [row[nth] for row in numbers]
        return cls(rows, np.frombuffer(b"".join(names), np.uint8))
