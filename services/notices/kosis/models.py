"""What the API of KOSIS's tables takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, StringConstraints
from pydantic import Field as Bounded
from sqlalchemy import Row

from services.notices.kosis.domain import Asked
from shared.web.bodies import Body

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]{1,60}$")]


class KosisBody(Body):
    """Where a card is read from. The key to KOSIS is the platform's, not the officer's."""

    org_id: Code = Bounded(description="orgId, e.g. 101")
    tbl_id: Code = Bounded(description="tblId, e.g. DT_1B04005N")
    itm_id: Code = Bounded(description="itmId: one, for a card shows one item")
    objects: Annotated[tuple[Code, ...], Bounded(min_length=1, max_length=8)] = Bounded(
        description="objL1…: as many as the table has classifications; ALL for the first at most, one code for each other"
    )
    newest: int = Bounded(default=12, ge=1, le=120, description="how many of the newest periods are read each time")

    def asked(self) -> Asked:
        return Asked(self.org_id, self.tbl_id, self.itm_id, self.objects, self.newest)


class KosisView(BaseModel):
    """How reading does. `state` failing: it failed so often in a row that somebody should look."""

    statistic_id: UUID
    org_id: str
    tbl_id: str
    itm_id: str
    objects: list[str]
    newest: int
    state: Literal["new", "ok", "failing"]
    failures: int
    failed_because: str | None
    failed_at: datetime | None
    read_at: datetime | None
    due_at: datetime
    missing: int
    refused: int

    @classmethod
    def of(cls, row: Row[Any], failing_after: int) -> Self:
        state = "failing" if row.failures >= failing_after else "new" if row.read_at is None else "ok"
        return cls.model_validate({**row._asdict(), **row.asked, "state": state}, extra="ignore")
