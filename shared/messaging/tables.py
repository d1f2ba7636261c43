"""The tables every service's database has: outbox, processed events, idempotency keys. Created by its first migration."""

from __future__ import annotations

PLATFORM_TABLES = (
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        aggregate_id text NOT NULL,
        topic text NOT NULL,
        key text NOT NULL,
        payload bytea NOT NULL,
        headers jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    ) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, fillfactor = 100)
    """,
    """
    CREATE TABLE processed_event (
        consumer_group text NOT NULL,
        event_id uuid NOT NULL,
        processed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (consumer_group, event_id)
    )
    """,
    "CREATE INDEX processed_event_age ON processed_event (processed_at)",
    """
    CREATE TABLE idempotency_key (
        principal text NOT NULL,
        key text NOT NULL,
        request_hash text NOT NULL,
        status smallint,
        headers jsonb,
        body jsonb,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (principal, key)
    )
    """,
    "CREATE INDEX idempotency_key_age ON idempotency_key (created_at)",
)
