"""The trace goes on where an event is consumed: a single event continues its trace, a batch is linked to all of its."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind

from shared import telemetry
from shared.messaging.envelope import Envelope

MAX_LINKS = 32


@contextmanager
def consuming(topic: str, group: str, envelopes: Sequence[Envelope]) -> Iterator[None]:
    """One span per transaction, never one per record."""
    parents = [_context(envelope) for envelope in envelopes[:MAX_LINKS] if envelope.traceparent]
    links = [Link(context) for context in parents if context.is_valid]
    parent = None
    if len(envelopes) == 1 and links:
        parent = trace.set_span_in_context(trace.NonRecordingSpan(links[0].context))
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(envelopes),
    }
    with telemetry.tracer.start_as_current_span(
        f"process {topic}", context=parent, kind=SpanKind.CONSUMER, links=links, attributes=attributes
    ):
        yield


def _context(envelope: Envelope) -> trace.SpanContext:
    carrier = {"traceparent": envelope.traceparent or ""}
    return trace.get_current_span(propagate.extract(carrier)).get_span_context()
