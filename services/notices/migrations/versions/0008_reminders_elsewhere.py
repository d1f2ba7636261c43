"""Matching reminds of deadlines, because it knows who has opened what."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = ("DROP INDEX notice_to_remind", "ALTER TABLE notice DROP COLUMN reminded_at")


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
