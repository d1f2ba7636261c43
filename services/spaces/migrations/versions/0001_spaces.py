"""Spaces, and the platform's own tables."""

from alembic import op

from shared.messaging.tables import PLATFORM_TABLES

revision = "0001"
down_revision = None

SPACE = """
CREATE TABLE space (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    urgency_epoch integer NOT NULL DEFAULT 0,
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
    space_kind text NOT NULL CHECK (space_kind IN ('room', 'desk', 'seat')),
    capacity integer NOT NULL CHECK (capacity >= 1),
    price_krw integer NOT NULL CHECK (price_krw >= 0),
    price_per text NOT NULL CHECK (price_per IN ('hour', 'day', 'month', 'use')),
    accessibility text,
    interests text[] NOT NULL,
    opens_at timestamptz,
    closes_at timestamptz,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK (closes_at > opens_at)
)
"""


def upgrade() -> None:
    for statement in PLATFORM_TABLES:
        op.execute(statement)
    op.execute(SPACE)
    op.execute("CREATE INDEX space_newest ON space (created_at DESC, id DESC)")
    op.execute("CREATE INDEX space_open_newest ON space (created_at DESC, id DESC) WHERE status = 'open'")
    op.execute("CREATE INDEX space_by_institution ON space (institution, created_at DESC, id DESC)")
