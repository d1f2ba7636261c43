"""Which table of KOSIS a card is read from, and how it is asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from services.notices.statistics.periods import Every

LONGEST_WAIT = timedelta(days=1)
PACES: dict[Every, str] = {"year": "Y", "half": "H", "quarter": "Q", "month": "M", "day": "D"}


@dataclass(frozen=True)
class Asked:
    """What KOSIS calls it: whose table, which item, and for each classification of the table one code, or ALL for the first."""

    org_id: str
    tbl_id: str
    itm_id: str
    objects: tuple[str, ...]
    newest: int

    def url(self, base: str, key: str, every: Every) -> str:
        """The count of classifications must be the table's; jsonVD=Y gives keys their quotes."""
        objects = {f"objL{n}": code for n, code in enumerate(self.objects, start=1)}
        query = {
            "method": "getList", "apiKey": key, "orgId": self.org_id, "tblId": self.tbl_id, "itmId": self.itm_id, **objects,
            "prdSe": PACES[every], "newEstPrdCnt": str(self.newest), "format": "json", "jsonVD": "Y",
        }  # fmt: skip
        return f"{base}?{urlencode(query)}"


@dataclass(frozen=True)
class Source:
    """A card that is read from KOSIS, for its institution, in the name of who said so."""

    statistic_id: UUID
    institution: str
    asked: Asked
    made_by: str
    failures: int


def next_look(failures: int, every_s: float, now: datetime) -> datetime:
    """After a success as usual; after each failure twice as late, at most a day."""
    wait = timedelta(seconds=min(every_s * 2 ** min(failures, 20), LONGEST_WAIT.total_seconds()))
    return now + max(wait, timedelta(seconds=every_s))
