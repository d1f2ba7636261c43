"""Where messages go, what is to be sent and was, and what of citizens and postings decides about it."""

from alembic import op

from shared.messaging.tables import PLATFORM_TABLES

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE citizen (
        citizen_id text PRIMARY KEY,
        watch_version integer NOT NULL,
        consent_epoch integer NOT NULL,
        since_version integer NOT NULL,
        located boolean NOT NULL,
        paused boolean NOT NULL,
        kinds text[] NOT NULL,
        quiet jsonb,
        muted_channels text[] NOT NULL,
        muted_topics text[] NOT NULL,
        muted_postings uuid[] NOT NULL,
        digest_hour smallint
    )
    """,
    """
    CREATE TABLE posting (
        id uuid PRIMARY KEY,
        version integer NOT NULL,
        urgency_epoch integer NOT NULL,
        status text NOT NULL,
        headline text NOT NULL,
        starts_at timestamptz,
        ends_at timestamptz,
        expires_at timestamptz NOT NULL,
        link text NOT NULL,
        channel text,
        topics text[] NOT NULL
    )
    """,
    "CREATE INDEX posting_expiry ON posting (expires_at)",
    """
    CREATE TABLE target (
        id uuid PRIMARY KEY,
        citizen_id text NOT NULL,
        channel text NOT NULL CHECK (channel IN ('push', 'mail')),
        address text NOT NULL,
        p256dh text,
        auth text,
        state text NOT NULL CHECK (state IN ('pending', 'active', 'suspended')),
        token_hash text,
        token_until timestamptz,
        confirm_at timestamptz,
        created_at timestamptz NOT NULL,
        active_since timestamptz,
        last_sent_at timestamptz,
        CHECK ((channel = 'push') = (p256dh IS NOT NULL AND auth IS NOT NULL)),
        CHECK ((state = 'active') <= (active_since IS NOT NULL))
    )
    """,
    "CREATE UNIQUE INDEX target_endpoint ON target (md5(address)) WHERE channel = 'push'",
    "CREATE UNIQUE INDEX target_mail ON target (citizen_id) WHERE channel = 'mail'",
    "CREATE INDEX target_by_citizen ON target (citizen_id)",
    "CREATE INDEX target_confirm ON target (confirm_at) WHERE confirm_at IS NOT NULL",
    "CREATE INDEX target_token ON target (token_hash) WHERE token_hash IS NOT NULL",
    """
    CREATE TABLE preference (
        citizen_id text PRIMARY KEY,
        push text NOT NULL CHECK (push IN ('off', 'instant', 'daily', 'weekly')),
        mail text NOT NULL CHECK (mail IN ('off', 'instant', 'daily', 'weekly')),
        hour smallint CHECK (hour BETWEEN 0 AND 23),
        weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6),
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE asked (
        who text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX asked_by_whom ON asked (who, at)",
    """
    CREATE TABLE delivery (
        alert_id uuid NOT NULL,
        target_id uuid NOT NULL REFERENCES target ON DELETE CASCADE,
        citizen_id text NOT NULL,
        channel text NOT NULL,
        posting_id uuid NOT NULL,
        posting_version integer NOT NULL,
        urgency_epoch integer NOT NULL,
        kind text NOT NULL,
        urgent boolean NOT NULL,
        emergency boolean NOT NULL,
        located boolean NOT NULL,
        watch_version integer NOT NULL,
        content jsonb,
        expires_at timestamptz NOT NULL,
        digest boolean NOT NULL,
        due_at timestamptz NOT NULL,
        wanted_at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'dropped')),
        because text,
        attempts smallint NOT NULL DEFAULT 0,
        batch uuid,
        ended_at timestamptz,
        PRIMARY KEY (alert_id, target_id),
        CHECK ((state IN ('sent', 'dropped')) = (ended_at IS NOT NULL)),
        CHECK ((ended_at IS NULL) = (content IS NOT NULL))
    )
    """,
    "CREATE INDEX delivery_due ON delivery (channel, due_at) WHERE ended_at IS NULL",
    "CREATE INDEX delivery_of_target ON delivery (target_id, due_at) WHERE ended_at IS NULL",
    "CREATE INDEX delivery_sent ON delivery (target_id, ended_at) WHERE state = 'sent' AND NOT digest",
    "CREATE INDEX delivery_of_citizen ON delivery (citizen_id) WHERE ended_at IS NULL",
    "CREATE INDEX delivery_ended ON delivery (ended_at) WHERE ended_at IS NOT NULL",
)


def upgrade() -> None:
    for statement in (*PLATFORM_TABLES, *TABLES):
        op.execute(statement)
