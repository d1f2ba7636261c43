"""What requests may hold: text that can be stored, numbers that are numbers, times with a zone, edits of what is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.web.bodies import Body, Edit, Latitude, Moment, YesNo


class Example(Edit):
    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"note"})

    name: str | None = None
    note: str | None = None
    tags: tuple[str, ...] | None = None
    lat: Latitude | None = None
    at: Moment | None = None
    yes: YesNo | None = None


class Outer(Body):
    inner: Example


def rule(content: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        Example.model_validate(content)
    (found,) = error.value.errors()
    return found["type"]


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_text_with_the_nul_character_is_refused_wherever_it_stands(before: str, after: str, others: list[str]) -> None:
    nul = f"{before}\0{after}"
    assert rule({"name": nul}) == rule({"tags": [*others, nul]}) == "nul-character"
    with pytest.raises(ValidationError, match=r"inner\.note"):
        Outer.model_validate({"inner": {"note": nul}})


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_other_text_is_kept_as_it_is(text: str) -> None:
    assert Example(name=text, tags=(text,)).changes() == {"name": text, "tags": (text,)}


@pytest.mark.parametrize("value", ["35.1", True, False])
def test_what_is_written_otherwise_is_no_number(value: object) -> None:
    assert rule({"lat": value}) == "number"


@pytest.mark.parametrize("value", ["true", 1, 0, "yes"])
def test_what_is_written_otherwise_is_no_truth_value(value: object) -> None:
    assert rule({"yes": value}) == "bool_type"


offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(), offsets)
def test_a_time_is_the_same_moment_in_utc_or_outside_the_calendar(naive: datetime, zone: timezone) -> None:
    moment = naive.replace(tzinfo=zone)
    if not 2 <= moment.year <= 9998:
        return
    found = Example.model_validate({"at": moment.isoformat()}).at
    assert found == moment.astimezone(UTC)
    assert found is not None
    assert found.tzinfo is UTC


@given(st.integers() | st.floats() | st.integers().map(str))
def test_a_bare_number_is_no_time(value: object) -> None:
    assert rule({"at": value}) == "rfc3339"


def test_null_clears_what_may_be_cleared_and_changes_nothing_else() -> None:
    assert Example.model_validate({"name": None, "note": None}).changes() == {"note": None}
    assert Example.model_validate({}).changes() == {}


def test_a_field_that_is_not_known_is_refused() -> None:
    assert rule({"nmae": "slip"}) == "extra_forbidden"
