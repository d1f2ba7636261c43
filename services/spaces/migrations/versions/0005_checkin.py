"""Who waits for a time, times that became free and were told, penalty points."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE waiting (
        id uuid PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('waiting', 'offered', 'taken', 'lapsed', 'left', 'over')),
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
        people integer NOT NULL CHECK (people >= 1),
        booking_id uuid,
        offered_until timestamptz,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX waiting_line ON waiting (space_id, created_at, id) WHERE state = 'waiting'",
    "CREATE UNIQUE INDEX waiting_once ON waiting (space_id, citizen_id, starts_at, ends_at) "
    "WHERE state IN ('waiting', 'offered')",
    "CREATE INDEX waiting_of_citizen ON waiting (citizen_id, created_at DESC, id DESC)",
    "CREATE INDEX waiting_due ON waiting (ends_at) WHERE state = 'waiting'",
    """
    CREATE TABLE gap (
        id uuid PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        unit_id bigint NOT NULL REFERENCES space_unit,
        version integer NOT NULL CHECK (version >= 1),
        status text NOT NULL CHECK (status IN ('open', 'closed')),
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
        not_for text[] NOT NULL,
        taken_by uuid,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX gap_open ON gap (unit_id) WHERE status = 'open'",
    "CREATE INDEX gap_taken ON gap (taken_by) WHERE taken_by IS NOT NULL",
    """
    CREATE TABLE penalty (
        id uuid PRIMARY KEY,
        booking_id uuid NOT NULL UNIQUE REFERENCES booking,
        citizen_id text NOT NULL,
        institution text NOT NULL,
        given_at timestamptz NOT NULL,
        lapses_at timestamptz NOT NULL,
        waived_at timestamptz,
        waived_by text,
        waived_because text
    )
    """,
    "CREATE INDEX penalty_of_citizen ON penalty (citizen_id, lapses_at)",
    "CREATE INDEX penalty_of_institution ON penalty (institution, given_at DESC, id DESC)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
