"""Job postings, and the platform's own tables."""

from alembic import op

from shared.messaging.tables import PLATFORM_TABLES

revision = "0001"
down_revision = None

POSTING = """
CREATE TABLE posting (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    urgency_epoch integer NOT NULL DEFAULT 0,
    urgent boolean NOT NULL DEFAULT false,
    status text NOT NULL CHECK (status IN ('open', 'closed')),
    closed_because text,
    institution text NOT NULL,
    posted_by text NOT NULL,
    headline text NOT NULL,
    description text NOT NULL,
    place_name text NOT NULL,
    place_address text,
    lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    radius_m integer NOT NULL CHECK (radius_m BETWEEN 50 AND 2000),
    interests text[] NOT NULL,
    min_age integer,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    expires_at timestamptz NOT NULL,
    pay_krw integer NOT NULL CHECK (pay_krw >= 0),
    pay_per text NOT NULL CHECK (pay_per IN ('hour', 'piece', 'day')),
    slots integer NOT NULL CHECK (slots >= 1),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
)
"""


def upgrade() -> None:
    for statement in PLATFORM_TABLES:
        op.execute(statement)
    op.execute(POSTING)
    op.execute("CREATE INDEX posting_newest ON posting (created_at DESC, id DESC)")
    op.execute("CREATE INDEX posting_open_newest ON posting (created_at DESC, id DESC) WHERE status = 'open'")
    op.execute("CREATE INDEX posting_by_institution ON posting (institution, created_at DESC, id DESC)")
