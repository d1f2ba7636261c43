"""Feeds of which the hub is to be told that they changed (WebSub)."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENT = """
    CREATE TABLE feed_ping (
        path text PRIMARY KEY,
        change bigint NOT NULL DEFAULT 1,
        failures integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL
    )
"""


def upgrade() -> None:
    op.execute(STATEMENT)
    op.execute("CREATE INDEX feed_ping_due ON feed_ping (due_at)")
