"""What the preview of a notice's reach takes and gives."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.posting import Circle
from shared.offers.models import Interests, Radius
from shared.web.bodies import Body, Latitude, Longitude, YesNo

DongCode = Annotated[str, Field(max_length=20, description="행정동 code, the one since 2026-07 or the one before")]
Channel = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class CircleAim(Body):
    lat: Latitude
    lon: Longitude
    radius_m: Radius = 700

    def circle(self) -> Circle:
        return Circle(lat=self.lat, lon=self.lon, radius_m=self.radius_m)


class PreviewBody(Body):
    """Whom a notice would be for, as notices says it: circles, 동, followers of one's own channel, topics."""

    circles: tuple[CircleAim, ...] = Field(default=(), max_length=20)
    dongs: tuple[DongCode, ...] = Field(default=(), max_length=42)
    followers: YesNo = False
    channel: Channel | None = Field(default=None, description="the institution's own when left out")
    topics: Interests = ()

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.circles and not self.dongs and not self.followers:
            raise PydanticCustomError("no-target", "a circle, a 행정동 or the channel's followers")
        return self


class DongResidents(BaseModel):
    """`code` and `dong` are null for those whose 동 is not known: followers who chose no home."""

    code: str | None
    dong: str | None
    residents: int | None


class PreviewView(BaseModel):
    """How many it would reach now. Null is hidden: a count under `least`, or one from which such a count could be told; what
    is shown is rounded down to a multiple of `least`.
    """

    residents: int | None
    least: int
    dongs: list[DongResidents]
