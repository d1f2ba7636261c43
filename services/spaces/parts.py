"""What the routes of spaces work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request

from services.spaces.settings import Settings
from shared.publishing import Parts
from shared.recent import Recent

SOURCE = "/services/spaces"


@dataclass(frozen=True)
class SpacesParts(Parts):
    """Made once in app.py."""

    settings: Settings
    alternatives: Recent[tuple[UUID, datetime, datetime], dict[str, Any]] = field(
        default_factory=lambda: Recent(for_s=1.0, most=1_000)
    )


async def _parts(request: Request) -> SpacesParts:
    parts: SpacesParts = request.app.state.parts
    return parts


UseSpaces = Annotated[SpacesParts, Depends(_parts)]
