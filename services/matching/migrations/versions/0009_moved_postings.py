"""A posting that moved: alerts of before, for its old place, are retracted (J9)."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE posting ADD COLUMN place_key text, ADD COLUMN retracted_below int NOT NULL DEFAULT 0")
