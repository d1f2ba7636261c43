"""Claims to places, and the card of each worker. The worker's row is what serialises a citizen's own claims."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE worker (
        citizen_id text PRIMARY KEY,
        name text,
        birth_year integer,
        guardian_consent boolean NOT NULL DEFAULT false,
        version integer NOT NULL DEFAULT 0,
        touched integer NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE claim (
        id uuid PRIMARY KEY,
        posting_id uuid NOT NULL REFERENCES posting,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        version integer NOT NULL,
        state text NOT NULL,
        late boolean NOT NULL DEFAULT false,
        on_time boolean,
        because text,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
        planned_krw integer NOT NULL,
        checked_in_at timestamptz,
        checked_out_at timestamptz,
        citizen_minutes integer,
        officer_minutes integer,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX claim_once ON claim (posting_id, citizen_id) "
    "WHERE state NOT IN ('declined', 'dropped', 'cancelled', 'no_show')",
    "CREATE INDEX claim_of_citizen ON claim (citizen_id, created_at DESC, id DESC)",
    "CREATE INDEX claim_of_posting ON claim (posting_id, created_at, id)",
    "CREATE INDEX claim_awaited ON claim (starts_at) WHERE state IN ('held', 'reconfirm')",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
