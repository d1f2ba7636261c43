"""Which version of a citizen's follows is in their watch; alerts of emergencies, which no budget counts (N3)."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "CREATE TABLE follows_taken (citizen_id text PRIMARY KEY, version integer NOT NULL)",
    "ALTER TABLE inbox_item ADD COLUMN emergency boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
