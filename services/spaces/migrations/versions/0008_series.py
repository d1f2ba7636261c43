"""Series: a rule of recurrence and what became of each of its dates."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """
    CREATE TABLE series (
        id uuid PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        rrule text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
        holidays text NOT NULL CHECK (holidays IN ('skip', 'keep')),
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX series_of_citizen ON series (citizen_id, created_at DESC, id DESC)",
    """
    CREATE TABLE series_date (
        series_id uuid NOT NULL REFERENCES series,
        n integer NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        result text NOT NULL CHECK (result IN ('booked', 'conflict', 'holiday', 'closed', 'refused')),
        rule text,
        detail text,
        booking_id uuid REFERENCES booking,
        PRIMARY KEY (series_id, n)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
