"""Logs, metrics and traces. Every metric of the platform is declared here; no label ever holds a person or a place."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Gauge, Histogram

FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)

HTTP_SECONDS = Histogram(
    "gwangsan_http_seconds", "Duration of requests", ["service", "method", "route", "status"], buckets=FAST_BUCKETS
)
CONSUMER_LAG = Gauge("gwangsan_consumer_lag_records", "Records not yet handled", ["group", "topic"])
CONSUMER_PROGRESS_AGE_S = Gauge(
    "gwangsan_consumer_progress_age_seconds", "Since the consumer last made progress", ["group"]
)
CONSUMED = Counter("gwangsan_consumed_total", "Records handled", ["group", "topic", "outcome"])
DEAD_LETTERED = Counter("gwangsan_dead_letters_total", "Records given up", ["group", "topic"])
OUTBOX_AGE_S = Gauge("gwangsan_outbox_oldest_seconds", "Age of the oldest event not yet relayed", ["service"])
OUTBOX_DEPTH = Gauge("gwangsan_outbox_depth", "Events not yet relayed", ["service"])
OUTBOX_FAILURES = Counter("gwangsan_outbox_failures_total", "Events the broker refused", ["service"])
FIXES = Counter("gwangsan_fixes_total", "Fixes by outcome", ["outcome"])
ALERTS = Counter("gwangsan_alerts_total", "Alerts made", ["kind", "cause"])
FIX_TO_ALERT_S = Histogram(
    "gwangsan_fix_to_alert_seconds", "From a fix taken in to its alert acknowledged", buckets=FAST_BUCKETS
)
INDEX_SIZE = Gauge("gwangsan_index_entries", "Entries of the matching index", ["what"])
INDEX_REBUILDS = Counter("gwangsan_index_rebuilds_total", "Rebuilds of the Redis index", ["reason"])
STREAMS_OPEN = Gauge("gwangsan_streams_open", "Live streams open")
INBOX_WRITTEN = Counter("gwangsan_inbox_total", "Alerts at the inbox by outcome", ["outcome"])

tracer = trace.get_tracer("gwangsan")


def _trace_ids(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def configure(service: str, *, level: str = "INFO", otlp_endpoint: str | None = None) -> None:
    """JSON logs to standard output; traces only where an endpoint is given (trace ids are made either way)."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_ids,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stdout,
        format='{"level":"%(levelname)s","logger":"%(name)s","event":"%(message)s"}',
    )
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider(resource=Resource.create({"service.name": f"gwangsan-{service}"}))
        if otlp_endpoint:
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
        trace.set_tracer_provider(provider)
