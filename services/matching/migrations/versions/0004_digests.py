"""What a citizen's daily budget left over, and the digests made of it: one per citizen and day."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE inbox_item DROP CONSTRAINT inbox_item_state_check",
    "ALTER TABLE inbox_item ADD CONSTRAINT inbox_item_state_check "
    "CHECK (state IN ('deferred', 'open', 'updated', 'closed', 'digest'))",
    "ALTER TABLE inbox_item ADD COLUMN overflowed_at timestamptz, ADD COLUMN digest_id uuid",
    "CREATE INDEX inbox_told ON inbox_item (citizen_id, told_at)",
    "CREATE INDEX inbox_digest ON inbox_item (citizen_id, overflowed_at) WHERE state = 'digest' AND digest_id IS NULL",
    """
    CREATE TABLE digest (
        citizen_id text NOT NULL,
        day date NOT NULL,
        id uuid NOT NULL UNIQUE,
        made_at timestamptz NOT NULL,
        PRIMARY KEY (citizen_id, day)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
