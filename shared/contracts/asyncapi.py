"""The platform's events as an AsyncAPI 3.0 document, made from the registry."""

from __future__ import annotations

from typing import Any

from shared.contracts import EVENTS, TOPICS
from shared.contracts.base import Event, Topic

CLOUDEVENTS_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary mode: attributes are headers, the payload is the body.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "dedupe by this"},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context"},
        "dl_replay_for": {"type": "string", "description": "only for this consumer group; others skip the record"},
    },
}
INFO = {
    "title": "당근 광산 · events",
    "version": "1",
    "description": (
        "What the services tell each other. Delivery is at least once: dedupe by ce_id. Unknown fields are to be ignored; "
        "records of one key keep their order. Read with isolation level read_committed."
    ),
}


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's body, as consumers may rely on it."""
    return event.model_json_schema(mode="validation", ref_template="#/$defs/{model}")


def document() -> dict[str, Any]:
    """Channels are topics, messages are events; an operation for each service that writes or reads."""
    events = {topic.name: [event for event in EVENTS if topic.name == event.TOPIC] for topic in TOPICS}
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, events[topic.name]) for topic in TOPICS},
        "operations": {name: body for topic in TOPICS for name, body in _operations(topic)},
        "components": {
            "schemas": {"CloudEventsHeaders": CLOUDEVENTS_HEADERS},
            "messages": {event.__name__: _message(event) for event in EVENTS},
        },
    }


def _channel(topic: Topic, events: list[type[Event]]) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in events},
        "bindings": {"kafka": {"bindingVersion": "0.5.0", **_kafka(topic)}},
    }


def _kafka(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    settings: dict[str, Any] = {
        "cleanup.policy": config["cleanup.policy"].split(","),
        "retention.ms": int(config["retention.ms"]),
    }
    if "max.message.bytes" in config:
        settings["max.message.bytes"] = int(config["max.message.bytes"])
    return {"topic": topic.name, "partitions": topic.partitions, "topicConfiguration": settings}


def _message(event: type[Event]) -> dict[str, Any]:
    topic = next(topic for topic in TOPICS if topic.name == event.TOPIC)
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": _inlined(schema_of(event)),
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Every $ref replaced by what it names: a reference inside a payload would be read from the document's root."""
    definitions = schema.get("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolve(definitions[node["$ref"].rpartition("/")[2]]) | {
                k: v for k, v in node.items() if k != "$ref"
            }
        return {key: resolve(value) for key, value in node.items() if key != "$defs"}

    inlined: dict[str, Any] = resolve(schema)
    return inlined


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic.name}"}
    sent = [
        (
            f"{_slug(owner)}.send.{topic.name}",
            {"action": "send", "channel": channel, "summary": f"{owner} writes {topic.name}"},
        )
        for owner in topic.owners
    ]
    received = [
        (
            f"{_slug(name)}.receive.{topic.name}",
            {"action": "receive", "channel": channel, "summary": f"{name} reads {topic.name}"},
        )
        for name in topic.consumers
    ]
    return sent + received


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
