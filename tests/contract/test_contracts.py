"""The contracts are frozen: consumers that were written against them must go on working."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import ValidationError

from shared.contracts import EVENT_BY_TYPE, EVENTS, TOPICS, Event
from shared.contracts.__main__ import ASYNCAPI, SCHEMAS, broken, differing, main
from shared.contracts.asyncapi import document, schema_of
from shared.contracts.base import Kind
from shared.contracts.compatibility import breaks
from shared.geo import district

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE / "examples").glob("*/*.json"))


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def model_of(path: Path) -> type[Event]:
    return EVENT_BY_TYPE[path.parent.name]


def test_the_frozen_schemas_and_the_asyncapi_document_are_up_to_date() -> None:
    assert broken() == []
    assert differing() == [], "run: python -m shared.contracts generate"
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(EVENT_BY_TYPE)
    assert main(["check"]) == 0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_several_examples(event: type[Event]) -> None:
    assert len(list((HERE / "examples" / event.TYPE).glob("*.json"))) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_is_understood_keyed_and_survives_the_wire(path: Path) -> None:
    event = model_of(path).model_validate_json(path.read_bytes())
    assert event.topic_key()
    assert model_of(path).model_validate_json(event.model_dump_json()) == event
    jsonschema.Draft202012Validator(loaded(SCHEMAS / f"{path.parent.name}.json")).validate(loaded(path))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_unknown_fields_are_ignored_everywhere(path: Path) -> None:
    def with_news(node: Any) -> Any:
        if isinstance(node, dict):
            return {**{key: with_news(value) for key, value in node.items()}, "invented_later": {"a": 1}}
        return [with_news(item) for item in node] if isinstance(node, list) else node

    body = loaded(path)
    assert model_of(path).model_validate(with_news(body)) == model_of(path).model_validate(body)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_missing_required_field_is_refused_by_name(path: Path) -> None:
    for name in schema_of(model_of(path))["required"]:
        body = {key: value for key, value in loaded(path).items() if key != name}
        with pytest.raises(ValidationError) as refused:
            model_of(path).model_validate(body)
        assert [error["loc"] for error in refused.value.errors()] == [(name,)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_time_without_zone_is_refused(path: Path) -> None:
    times = [key for key, value in loaded(path).items() if key.endswith("_at") and value]
    assert times
    for name in times:
        with pytest.raises(ValidationError):
            model_of(path).model_validate({**loaded(path), name: "2026-11-22T09:30:00"})


def test_examples_name_the_districts_own_dongs() -> None:
    for path in EXAMPLES:
        for code in loaded(path).get("where", {}).get("dongs", []):
            assert code in district().by_code, path.stem


def changed(event: type[Event], change: Any) -> list[str]:
    new = copy.deepcopy(schema_of(event))
    change(new)
    return breaks(schema_of(event), new)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_breaking_change_is_found_in_every_field(event: type[Event]) -> None:
    schema = schema_of(event)
    assert breaks(schema, schema) == []
    for name in schema["properties"]:
        assert f"{name}: removed" in changed(event, lambda new, n=name: new["properties"].pop(n))
        assert changed(event, lambda new, n=name: new["properties"].update({n: {"type": "null"}}))
        if name not in schema["required"]:
            assert changed(event, lambda new, n=name: new["required"].append(n))


def test_what_breaks_is_named() -> None:
    posting = EVENT_BY_TYPE["kr.gwangsan.posting.v1"]
    assert changed(posting, lambda new: new["required"].append("pay")) == [
        "pay: newly required, which records of today may lack"
    ]
    assert changed(posting, lambda new: new["properties"]["kind"]["enum"].remove("space")) == [
        "kind: ['space'] may no longer be said"
    ]
    assert changed(posting, lambda new: new["properties"]["kind"]["enum"].append("lesson")) == [
        "kind: ['lesson'] would not be understood by consumers of today"
    ]
    assert changed(posting, lambda new: new["$defs"]["Circle"]["properties"]["radius_m"].update(maximum=500)) == [
        "where.circles[].radius_m: maximum 2000 became 500"
    ]
    assert changed(posting, lambda new: new["$defs"]["Circle"]["properties"]["lat"].update(type="string")) == [
        "where.circles[].lat: type 'number' became 'string'"
    ]


def test_a_new_optional_field_and_a_wider_bound_break_nothing() -> None:
    posting = EVENT_BY_TYPE["kr.gwangsan.posting.v1"]
    assert changed(posting, lambda new: new["properties"].update(photo={"type": "string"})) == []
    assert changed(posting, lambda new: new["$defs"]["Circle"]["properties"]["radius_m"].update(maximum=5000)) == []


def test_the_asyncapi_document_is_valid_and_names_every_topic_owner_and_consumer() -> None:
    described = loaded(ASYNCAPI)
    schema = loaded(HERE / "asyncapi-3.0.0.json")
    jsonschema.validators.validator_for(schema)(schema).validate(described)
    assert set(described["channels"]) == {topic.name for topic in TOPICS}
    assert len(described["operations"]) == sum(len(topic.owners) + len(topic.consumers) for topic in TOPICS)
    assert set(document()["components"]["messages"]) == {event.__name__ for event in EVENTS}
    for topic in TOPICS:
        kafka = described["channels"][topic.name]["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert ",".join(kafka["topicConfiguration"]["cleanup.policy"]) == topic.config()["cleanup.policy"]


def test_the_kinds_of_postings_are_those_of_their_owners() -> None:
    assert set(get_args(Kind)) == {"job", "space", "notice"}
