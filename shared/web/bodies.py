"""What requests may hold, for every service: unknown fields refused, text that can be stored, times with a zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import Lat, Lon

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _storable(value: Any) -> Any:
    """PostgreSQL's text cannot hold U+0000, so no request may."""
    parts = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if any(isinstance(part, str) and "\0" in part for part in parts):
        raise PydanticCustomError("nul-character", "text may not hold the character U+0000")
    return value


def _number(value: Any) -> Any:
    """Text and truth values are not turned into numbers: the schema says number, and "true" as a latitude is a slip."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("number", "a number is written without quotes")
    return value


def _written_out(value: Any) -> Any:
    """A bare number would be read as seconds since 1970; a slip, never a meant time."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.match(value)):
        return value
    raise PydanticCustomError("rfc3339", "a time is written as 2026-07-01T14:00:00+09:00")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time-range", "a time outside the calendar") from None


Number = BeforeValidator(_number)
Latitude = Annotated[Lat, Number]
Longitude = Annotated[Lon, Number]
YesNo = Annotated[bool, Field(strict=True)]
Storable = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


class Body(BaseModel):
    """What a request holds. A field that is not known is refused, so that a slip of the pen is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _text_can_be_stored(cls, value: Any) -> Any:
        return _storable(value)


class Edit(Body):
    """Only what is to change. Null clears a field named in CLEARABLE; elsewhere it means unchanged."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset()

    def changes(self) -> dict[str, Any]:
        """The fields that were given, with their values."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in given.items() if value is not None or name in self.CLEARABLE}
