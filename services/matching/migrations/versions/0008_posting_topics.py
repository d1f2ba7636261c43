"""By which topics an alert can be stopped (N6): known of a posting from its next version on."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE posting ADD COLUMN topics text[] NOT NULL DEFAULT '{}'")
