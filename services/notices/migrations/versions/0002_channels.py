"""Verified institutions, their officers by role, channels, and who follows them."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE institution (
        name text PRIMARY KEY,
        verified_at timestamptz,
        verified_by text,
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE officer (
        institution text NOT NULL,
        subject text NOT NULL,
        roles text[] NOT NULL CHECK (roles <@ ARRAY['author', 'approver'] AND cardinality(roles) >= 1),
        named_by text NOT NULL,
        named_at timestamptz NOT NULL,
        PRIMARY KEY (institution, subject)
    )
    """,
    """
    CREATE TABLE channel (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        institution text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        about text NOT NULL,
        contact text NOT NULL,
        home_url text,
        topics text[] NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX channel_newest ON channel (created_at DESC, id DESC)",
    """
    CREATE TABLE following (
        citizen_id text NOT NULL,
        channel_id uuid NOT NULL REFERENCES channel,
        since timestamptz NOT NULL,
        PRIMARY KEY (citizen_id, channel_id)
    )
    """,
    "CREATE INDEX following_of_channel ON following (channel_id)",
    # Versions of a citizen's list go on rising after the last channel is left.
    "CREATE TABLE follow_version (citizen_id text PRIMARY KEY, version integer NOT NULL)",
    # Channels that notices were published in before channels had a table.
    """
    INSERT INTO channel (id, name, institution, version, about, contact, home_url, topics, created_at, changed_at)
    SELECT gen_random_uuid(), channel, min(institution), 1, '', '', NULL, '{}', min(created_at), min(created_at)
    FROM notice GROUP BY channel
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
