"""Boards that are read for an institution, what came from them, and an index by which feeds see that nothing changed."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "CREATE INDEX notice_changed ON notice (changed_at DESC)",
    """
    CREATE TABLE board (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        channel text NOT NULL,
        url text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('feed', 'disaster')),
        dongs text[] NOT NULL,
        topics text[] NOT NULL,
        made_by text NOT NULL,
        etag text,
        last_modified text,
        due_at timestamptz NOT NULL,
        failures integer NOT NULL DEFAULT 0,
        failed_because text,
        failed_at timestamptz,
        read_at timestamptz,
        created_at timestamptz NOT NULL,
        UNIQUE (institution, url, channel)
    )
    """,
    "CREATE INDEX board_due ON board (due_at)",
    """
    CREATE TABLE board_item (
        board_id uuid NOT NULL REFERENCES board ON DELETE CASCADE,
        guid_hash bytea NOT NULL,
        content_hash bytea NOT NULL,
        headline text NOT NULL,
        draft_id uuid,
        skipped text,
        seen_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (board_id, guid_hash)
    )
    """,
    "CREATE INDEX board_item_newest ON board_item (board_id, changed_at DESC)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
