"""Calendars of spaces: opening hours, the text of rest days, closures, holidays declared later."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    """
    CREATE TABLE space_calendar (
        space_id uuid PRIMARY KEY REFERENCES space,
        version integer NOT NULL CHECK (version >= 1),
        hours jsonb NOT NULL,
        rest_text text NOT NULL,
        changed_by text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE closure (
        id uuid PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        reason text NOT NULL,
        source text NOT NULL CHECK (source IN ('officer', 'calendar')),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        lifted_at timestamptz,
        CHECK (ends_at > starts_at)
    )
    """,
    "CREATE INDEX closure_when ON closure USING gist (space_id, tstzrange(starts_at, ends_at)) WHERE lifted_at IS NULL",
    "CREATE INDEX closure_newest ON closure (space_id, made_at DESC, id DESC)",
    """
    CREATE TABLE declared_holiday (
        day date PRIMARY KEY,
        name text NOT NULL,
        declared_by text NOT NULL,
        declared_at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
