"""What is pending of a citizen is found by their addressees: an index less on what a digest to everybody writes three times."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("DROP INDEX delivery_of_citizen")
