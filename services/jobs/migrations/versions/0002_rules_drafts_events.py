"""What postings gained with the rule book: categories, approval, widening; drafts; the service's own log of events."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    ALTER TABLE posting
        ADD COLUMN category text, ADD COLUMN approval text NOT NULL DEFAULT 'instant' CHECK (approval IN ('instant', 'officer')),
        ADD COLUMN piece_minutes integer, ADD COLUMN series_id uuid,
        ADD COLUMN widen_steps_m integer[], ADD COLUMN widen_every_s integer, ADD COLUMN widen_began_at timestamptz,
        ADD COLUMN not_for text[] NOT NULL DEFAULT '{}', ADD COLUMN cancelled boolean NOT NULL DEFAULT false,
        ADD COLUMN taken integer NOT NULL DEFAULT 0, ADD COLUMN reminded_at timestamptz,
        ADD CONSTRAINT posting_taken CHECK (taken BETWEEN 0 AND slots)
    """,
    "CREATE INDEX posting_expiring ON posting (expires_at) WHERE status = 'open' AND reminded_at IS NULL",
    "CREATE INDEX posting_open_place ON posting USING gist (point(lon * 0.8175, lat)) WHERE status = 'open'",
    "CREATE INDEX posting_series ON posting (series_id) WHERE series_id IS NOT NULL",
    """
    CREATE TABLE job_event (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL UNIQUE,
        type text NOT NULL,
        about text NOT NULL,
        payload bytea NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE draft (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        name text NOT NULL,
        keep boolean NOT NULL,
        version integer NOT NULL,
        body jsonb NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL
    )
    """,
    "CREATE INDEX draft_by_institution ON draft (institution, changed_at DESC, id DESC)",
    """
    CREATE TABLE blocked (
        kind text NOT NULL CHECK (kind IN ('citizen', 'institution')),
        name text NOT NULL,
        reason text NOT NULL,
        by_whom text NOT NULL,
        since timestamptz NOT NULL,
        PRIMARY KEY (kind, name)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
