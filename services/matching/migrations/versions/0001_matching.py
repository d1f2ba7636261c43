"""Consents and their records, watches, the inbox, and the postings as the inbox knows them."""

from alembic import op

from shared.messaging.tables import PLATFORM_TABLES

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE consent (
        citizen_id text NOT NULL,
        purpose text NOT NULL CHECK (purpose IN ('location', 'push', 'guardian')),
        epoch integer NOT NULL CHECK (epoch >= 1),
        terms_version text NOT NULL,
        granted_at timestamptz NOT NULL,
        withdrawn_at timestamptz,
        PRIMARY KEY (citizen_id, purpose)
    )
    """,
    """
    CREATE TABLE consent_event (
        id uuid PRIMARY KEY,
        citizen_id text NOT NULL,
        purpose text NOT NULL,
        act text NOT NULL CHECK (act IN ('granted', 'withdrawn')),
        epoch integer NOT NULL,
        terms_version text NOT NULL,
        at timestamptz NOT NULL,
        erased jsonb
    )
    """,
    "CREATE INDEX consent_event_of ON consent_event (citizen_id, at)",
    # 위치정보법 §16②: who collected, used or provided, when and how; never where.
    """
    CREATE TABLE location_record (
        citizen_id text NOT NULL,
        act text NOT NULL CHECK (act IN ('collected', 'used', 'provided')),
        how text NOT NULL,
        hour timestamptz NOT NULL,
        times integer NOT NULL,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (citizen_id, act, how, hour)
    )
    """,
    "CREATE INDEX location_record_age ON location_record (hour)",
    """
    CREATE TABLE watch (
        citizen_id text PRIMARY KEY,
        version integer NOT NULL,
        settings jsonb NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE posting (
        id uuid PRIMARY KEY,
        version integer NOT NULL,
        status text NOT NULL,
        closed_because text,
        headline text NOT NULL,
        starts_at timestamptz,
        ends_at timestamptz,
        expires_at timestamptz NOT NULL,
        shows jsonb NOT NULL,
        link text NOT NULL
    )
    """,
    "CREATE SEQUENCE inbox_change",
    """
    CREATE TABLE inbox_item (
        id uuid PRIMARY KEY,
        change bigint NOT NULL DEFAULT nextval('inbox_change'),
        citizen_id text NOT NULL,
        posting_id uuid NOT NULL,
        posting_version integer NOT NULL,
        urgency_epoch integer NOT NULL,
        urgent boolean NOT NULL,
        kind text NOT NULL,
        institution text NOT NULL,
        headline text NOT NULL,
        distance_m integer,
        dong text,
        starts_at timestamptz,
        ends_at timestamptz,
        expires_at timestamptz NOT NULL,
        shows jsonb NOT NULL,
        link text NOT NULL,
        why jsonb NOT NULL,
        state text NOT NULL CHECK (state IN ('deferred', 'open', 'updated', 'closed')),
        closed_because text,
        due_at timestamptz,
        read_at timestamptz,
        made_at timestamptz NOT NULL,
        told_at timestamptz,
        changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX inbox_of ON inbox_item (citizen_id, change)",
    "CREATE INDEX inbox_newest ON inbox_item (citizen_id, made_at DESC, id DESC)",
    "CREATE INDEX inbox_of_posting ON inbox_item (posting_id)",
    "CREATE INDEX inbox_due ON inbox_item (due_at) WHERE state = 'deferred'",
)


def upgrade() -> None:
    for statement in (*PLATFORM_TABLES, *TABLES):
        op.execute(statement)
