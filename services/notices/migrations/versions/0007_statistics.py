"""Statistic cards: a series of figures with its source, and every revision of it (N5)."""

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
        points jsonb NOT NULL,
        as_of date NOT NULL,
        made_by text NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        withdrawn_at timestamptz
    )
    """,
    "CREATE INDEX statistic_newest ON statistic (created_at DESC, id DESC) WHERE withdrawn_at IS NULL",
    "CREATE INDEX statistic_of ON statistic (channel, created_at DESC, id DESC) WHERE withdrawn_at IS NULL",
    """
    CREATE TABLE statistic_revision (
        statistic_id uuid NOT NULL REFERENCES statistic,
        version integer NOT NULL,
        about jsonb NOT NULL,
        points jsonb NOT NULL,
        as_of date NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (statistic_id, version)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
