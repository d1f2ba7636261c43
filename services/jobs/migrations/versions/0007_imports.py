"""Imports: what each file did, row by row, so that it can be repeated and taken back."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    CREATE TABLE import (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        source text NOT NULL,
        imported_by text NOT NULL,
        at timestamptz NOT NULL,
        report jsonb NOT NULL,
        rolled_back_at timestamptz
    )
    """,
    "CREATE INDEX import_newest ON import (institution, at DESC, id DESC)",
    """
    CREATE TABLE imported (
        institution text NOT NULL,
        external_id text NOT NULL,
        posting_id uuid NOT NULL REFERENCES posting,
        digest text NOT NULL,
        row jsonb NOT NULL,
        import_id uuid NOT NULL REFERENCES import,
        PRIMARY KEY (institution, external_id)
    )
    """,
    """
    CREATE TABLE import_step (
        import_id uuid NOT NULL REFERENCES import,
        external_id text NOT NULL,
        posting_id uuid NOT NULL,
        before jsonb,
        before_digest text,
        PRIMARY KEY (import_id, external_id)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
