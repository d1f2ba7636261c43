"""Who lives where and follows what, found without reading every watch: for the preview of a notice's reach (N1)."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "CREATE INDEX watch_homes ON watch USING gin ((settings->'home_dongs') jsonb_ops)",
    "CREATE INDEX watch_follows ON watch USING gin ((settings->'follows') jsonb_ops)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
