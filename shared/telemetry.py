"""Logs, metrics and traces. Every metric of the platform is declared here; no label ever holds a person or a place."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, StatusCode
from prometheus_client import Counter, Gauge, Histogram

FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)

HTTP_SECONDS = Histogram(
    "gwangsan_http_seconds", "Duration of requests", ["service", "method", "route", "status"], buckets=FAST_BUCKETS
)
READY = Gauge("gwangsan_ready", "1 when every check of /readyz passes", ["service"])
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
RESTORED = Gauge("gwangsan_restored_records", "Records read back since the worker began to restore", ["what"])
INDEX_REBUILDS = Counter("gwangsan_index_rebuilds_total", "Rebuilds of the Redis index", ["reason"])
FEEDS_STALE = Gauge("gwangsan_feeds_stale", "Imported sources with rows but nothing new for too long", ["service"])
STREAMS_OPEN = Gauge("gwangsan_streams_open", "Live streams open")
INBOX_WRITTEN = Counter("gwangsan_inbox_total", "Alerts at the inbox by outcome", ["outcome"])
BOARDS_READ = Counter("gwangsan_boards_read_total", "Looks at institutions' boards by outcome", ["outcome"])
BOARDS_FAILING = Gauge("gwangsan_boards_failing", "Boards that keep failing")
KOSIS_READ = Counter("gwangsan_kosis_read_total", "Cards read from KOSIS by outcome", ["outcome"])
KOSIS_FAILING = Gauge("gwangsan_kosis_failing", "Cards that keep failing to be read from KOSIS")
DELIVERIES = Counter("gwangsan_deliveries_total", "Messages to phones and mailboxes by outcome", ["what", "outcome"])
DELIVERY_S = Histogram(
    "gwangsan_delivery_seconds",
    "From when an instant message was wanted to its acceptance",
    ["what"],
    buckets=FAST_BUCKETS,
)

FRAMES_TOLD = 12

tracer = trace.get_tracer("gwangsan")


# One list for the life of the process: loggers that were used before keep it, and hear of what is changed in it.
_processors: list[structlog.types.Processor] = []


def _trace_ids(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


@contextmanager
def span(name: str, **how: Any) -> Iterator[Span]:
    """A current span. What fails in it is told by type alone, as in the logs."""
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **how) as current:
        try:
            yield current
        except Exception as error:
            current.set_status(StatusCode.ERROR)
            current.set_attribute("error.type", type(error).__qualname__)
            raise


def traces_are_kept() -> bool:
    """Whether an endpoint was given to which spans go."""
    provider = trace.get_tracer_provider()
    return isinstance(provider, TracerProvider) and provider.sampler is not sampling.ALWAYS_OFF


def _where_not_what(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception is told by its types and its frames. Its text is not: it may repeat a name or a coordinate."""
    told = event.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["exception"] = [_frames(cause) for cause in _causes(error)]
    return event


def _first_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What libraries say below their first line is the representation of values."""
    event["event"] = next(iter(str(event["event"]).splitlines()), "")
    return event


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _frames(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_TOLD:]
    at = [f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}" for frame in frames]
    return {"type": f"{type(error).__module__}.{type(error).__qualname__}", "at": at}


def _pipeline() -> list[structlog.types.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace_ids,
        _where_not_what,
    ]


def configure(service: str, *, level: str = "INFO", otlp_endpoint: str | None = None) -> None:
    """JSON logs to standard output, a line per event, the libraries' too; traces only where an endpoint is given."""
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    _processors[:] = [*_pipeline(), as_json]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    libraries = logging.StreamHandler(sys.stdout)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _first_line, *_pipeline()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        # Without an endpoint spans only carry the ids that logs tell; nothing is recorded in them.
        sampler = sampling.DEFAULT_ON if otlp_endpoint else sampling.ALWAYS_OFF
        resource = Resource.create({"service.name": f"gwangsan-{service}"})
        provider = TracerProvider(sampler=sampler, resource=resource)
        if otlp_endpoint:
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=traces_url(otlp_endpoint))))
        trace.set_tracer_provider(provider)


def traces_url(otlp_endpoint: str) -> str:
    """The endpoint as collectors name it (http://host:4318), or the whole address of its traces."""
    return otlp_endpoint if urlsplit(otlp_endpoint).path.strip("/") else f"{otlp_endpoint.rstrip('/')}/v1/traces"
