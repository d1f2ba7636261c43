"""What statistics are read by: every booking of an institution, whatever became of it."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("CREATE INDEX booking_of_institution ON booking (institution, starts_at)")
