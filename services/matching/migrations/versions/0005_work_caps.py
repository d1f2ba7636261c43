"""Whose month of work is full (J6): told by jobs, so that no more jobs of that month are told to them."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE work_cap (
            citizen_id text NOT NULL,
            month text NOT NULL,
            reached boolean NOT NULL,
            until timestamptz NOT NULL,
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (citizen_id, month)
        )
    """)
