"""How far an alert came: delivered, opened, acted upon; and whose posting it is about, on which channel."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE inbox_item ADD COLUMN delivered_at timestamptz, ADD COLUMN opened_at timestamptz, ADD COLUMN acted_at timestamptz",
    "UPDATE inbox_item SET delivered_at = coalesce(told_at, made_at), opened_at = read_at WHERE state <> 'deferred'",
    "ALTER TABLE posting ADD COLUMN institution text, ADD COLUMN channel text",
    "UPDATE posting p SET institution = i.institution FROM inbox_item i WHERE i.posting_id = p.id",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
