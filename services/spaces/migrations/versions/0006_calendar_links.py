"""Secret links to calendar feeds and what an imported closure is known again by."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    CREATE TABLE calendar_link (
        id uuid PRIMARY KEY,
        secret_hash bytea NOT NULL UNIQUE,
        kind text NOT NULL CHECK (kind IN ('bookings', 'space')),
        owner text NOT NULL,
        space_id uuid REFERENCES space CHECK ((space_id IS NULL) = (kind = 'bookings')),
        made_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
    "CREATE INDEX calendar_link_of ON calendar_link (owner, made_at DESC, id DESC)",
    "ALTER TABLE closure ADD COLUMN uid text, ADD COLUMN sequence integer",
    "ALTER TABLE closure ADD CHECK ((uid IS NULL) = (source = 'officer'))",
    "CREATE INDEX closure_imported ON closure (space_id, uid) WHERE source = 'calendar'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
