"""Statistic cards: a series of figures with its source, every version of each figure, and where it is read from (N5)."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    CREATE TABLE statistic (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        channel text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        about jsonb NOT NULL,
        groups text[] NOT NULL,
        least integer NOT NULL CHECK (least >= 1),
        as_of date NOT NULL,
        reason text NOT NULL,
        made_by text NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        edited_at timestamptz,
        withdrawn_at timestamptz
    )
    """,
    # One card per title, withdrawn ones too: the same figures told anew by another card could tell what one hides.
    "CREATE UNIQUE INDEX statistic_title ON statistic (channel, (about->>'title'))",
    "CREATE INDEX statistic_newest ON statistic (created_at DESC, id DESC) WHERE withdrawn_at IS NULL",
    """
    CREATE TABLE statistic_version (
        statistic_id uuid NOT NULL REFERENCES statistic,
        version integer NOT NULL,
        about jsonb NOT NULL,
        as_of date NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (statistic_id, version)
    )
    """,
    """
    CREATE TABLE statistic_figure (
        statistic_id uuid NOT NULL REFERENCES statistic,
        version integer NOT NULL,
        period text NOT NULL,
        grp text NOT NULL,
        value numeric,
        provisional boolean NOT NULL,
        derived boolean NOT NULL,
        shown boolean NOT NULL,
        PRIMARY KEY (statistic_id, period, grp, version)
    )
    """,
    """
    CREATE TABLE kosis_source (
        statistic_id uuid PRIMARY KEY REFERENCES statistic,
        institution text NOT NULL,
        asked jsonb NOT NULL,
        made_by text NOT NULL,
        due_at timestamptz NOT NULL,
        failures integer NOT NULL DEFAULT 0,
        failed_because text,
        failed_at timestamptz,
        read_at timestamptz,
        missing integer NOT NULL DEFAULT 0,
        refused integer NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX kosis_source_due ON kosis_source (due_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
