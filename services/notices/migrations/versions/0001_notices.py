"""Notices, and the platform's own tables."""

from alembic import op

from shared.messaging.tables import PLATFORM_TABLES

revision = "0001"
down_revision = None

NOTICE = """
CREATE TABLE notice (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    urgency_epoch integer NOT NULL DEFAULT 0,
    urgent boolean NOT NULL DEFAULT false,
    status text NOT NULL CHECK (status IN ('open', 'closed')),
    closed_because text,
    institution text NOT NULL,
    posted_by text NOT NULL,
    channel text NOT NULL,
    headline text NOT NULL,
    body text NOT NULL,
    circles jsonb NOT NULL,
    dongs text[] NOT NULL,
    interests text[] NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK (jsonb_array_length(circles) + cardinality(dongs) >= 1)
)
"""


def upgrade() -> None:
    for statement in PLATFORM_TABLES:
        op.execute(statement)
    op.execute(NOTICE)
    op.execute("CREATE INDEX notice_newest ON notice (created_at DESC, id DESC)")
    op.execute("CREATE INDEX notice_open_newest ON notice (created_at DESC, id DESC) WHERE status = 'open'")
    op.execute("CREATE INDEX notice_by_institution ON notice (institution, created_at DESC, id DESC)")
