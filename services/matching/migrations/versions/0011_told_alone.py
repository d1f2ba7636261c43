"""What was told by itself is counted; what a digest told is not, so it need not be in the index that counts."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("DROP INDEX inbox_told")
    op.execute("CREATE INDEX inbox_told ON inbox_item (citizen_id, told_at) WHERE overflowed_at IS NULL")
