"""The trace goes on where an event is consumed: a single event continues its trace, a batch is linked to all of its."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind

from shared import telemetry
from shared.messaging.envelope import Envelope, IncomingRecord

MAX_LINKS = 32


@contextlib.contextmanager
def consuming(topic: str, group: str, envelopes: Sequence[Envelope]) -> Iterator[None]:
    """One span per transaction, never one per record."""
    with _span(topic, group, len(envelopes), (envelope.traceparent for envelope in envelopes)):
        yield


def consuming_records(
    topic: str, group: str, records: Sequence[IncomingRecord]
) -> contextlib.AbstractContextManager[None]:
    """The same for records that are not opened into envelopes. What is produced inside takes this trace along. Nothing at
    all where traces go nowhere: these batches are too many and too small to pay for it.
    """
    if not telemetry.traces_are_kept():
        return contextlib.nullcontext()
    return _span(topic, group, len(records), (_traceparent(record) for record in records[:MAX_LINKS]))


def current_headers() -> list[tuple[str, bytes]]:
    """The trace that goes on in what is produced now."""
    if not telemetry.traces_are_kept():
        return []
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return [(name, value.encode()) for name, value in carrier.items()]


@contextlib.contextmanager
def _span(topic: str, group: str, count: int, traceparents: Iterable[str | None]) -> Iterator[None]:
    parents = (_context(told) for told in islice(filter(None, traceparents), MAX_LINKS))
    links = [Link(context) for context in parents if context.is_valid]
    parent = None
    if count == 1 and links:
        parent = trace.set_span_in_context(trace.NonRecordingSpan(links[0].context))
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": count,
    }
    with telemetry.span(f"process {topic}", context=parent, kind=SpanKind.CONSUMER, links=links, attributes=attributes):
        yield


def _traceparent(record: IncomingRecord) -> str | None:
    return next(
        (value.decode("ascii", "replace") for name, value in record.headers if name == "traceparent" and value), None
    )


def _context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(propagate.extract({"traceparent": traceparent})).get_span_context()
