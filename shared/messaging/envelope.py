"""CloudEvents 1.0 in Kafka binary mode: attributes are headers, the payload is the body (CloudEvents Kafka binding §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from opentelemetry import propagate
from pydantic import ValidationError

from shared.contracts import EVENT_BY_TYPE, TOPICS, Event

Headers = Mapping[str, str]

REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time")
COMPACTED = frozenset(topic.name for topic in TOPICS if topic.compacted)


class BadRecordError(Exception):
    """A record that no handler can be given: not a CloudEvent, of an unknown type, or against its contract."""


class IncomingRecord(Protocol):
    """What a consumed Kafka record offers."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...


@dataclass(frozen=True)
class Envelope:
    """One event with its CloudEvents attributes."""

    id: UUID
    source: str
    time: datetime
    data: Event
    traceparent: str | None = None


def headers_of(event: Event, *, event_id: UUID, source: str, time: datetime) -> dict[str, str]:
    """The headers of an outgoing event, with the current trace context."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": event.TYPE,
        "ce_source": source,
        "ce_time": time.isoformat(),
        "content-type": "application/json",
    }
    propagate.inject(headers)
    return headers


def body_of(event: Event) -> bytes:
    """The event's JSON, UTF-8."""
    return event.model_dump_json().encode()


def kafka_headers(headers: Headers) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]


def raw_headers(record: IncomingRecord) -> list[tuple[str, bytes]]:
    """A header may come without a value."""
    return [(name, value or b"") for name, value in record.headers]


def text_headers(record: IncomingRecord) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def is_tombstone(record: IncomingRecord) -> bool:
    """On a compacted topic a record without a body only lets the key be forgotten: there is nothing to handle."""
    return record.value is None and record.topic in COMPACTED


def open_envelope(record: IncomingRecord, headers: Headers | None = None) -> Envelope:
    """Parse and validate one record (`headers`, if they were read already). Raises BadRecordError with a reason that names
    the field and the rule.
    """
    headers = text_headers(record) if headers is None else headers
    missing = [name for name in REQUIRED if name not in headers]
    if missing:
        raise BadRecordError(f"not a CloudEvent: missing header {', '.join(missing)}")
    if not headers["ce_specversion"].startswith("1."):
        raise BadRecordError(f"CloudEvents version {headers['ce_specversion']!r} is not 1.x")
    model = EVENT_BY_TYPE.get(headers["ce_type"])
    if model is None:
        raise BadRecordError(f"unknown event type {headers['ce_type']!r}")
    if record.value is None:
        raise BadRecordError("no payload")
    try:
        return Envelope(
            id=UUID(headers["ce_id"]),
            source=headers["ce_source"],
            time=_time(headers["ce_time"]),
            data=model.model_validate_json(record.value),
            traceparent=headers.get("traceparent"),
        )
    except ValidationError as error:
        # The offending input is left out: it may be a coordinate or a name.
        rules = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise BadRecordError(f"against its contract: {rules}") from None
    except ValueError as error:
        raise BadRecordError(f"bad CloudEvents attribute: {error}") from None


def _time(told: str) -> datetime:
    moment = datetime.fromisoformat(told)
    if moment.tzinfo is None:
        raise ValueError("ce_time has no zone")
    return moment
