"""Deadlines of postings and for which of them was reminded; items of one posting by citizen."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    "ALTER TABLE posting ADD COLUMN deadline timestamptz, ADD COLUMN reminded_for timestamptz",
    "CREATE INDEX posting_to_remind ON posting (deadline) "
    "WHERE status = 'open' AND deadline IS NOT NULL AND reminded_for IS DISTINCT FROM deadline",
    "ALTER TABLE inbox_item ADD COLUMN reminder boolean NOT NULL DEFAULT false",
    "CREATE INDEX inbox_of_posting_and_citizen ON inbox_item (posting_id, citizen_id)",
    "DROP INDEX inbox_of_posting",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
