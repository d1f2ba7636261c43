"""What made an alert: the settings of each version of a watch, and the posting's version at the time."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE watch_version (
        citizen_id text NOT NULL,
        version integer NOT NULL,
        settings jsonb NOT NULL,
        begun_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (citizen_id, version)
    )
    """,
    "CREATE INDEX watch_version_age ON watch_version (ended_at) WHERE ended_at IS NOT NULL",
    """
    INSERT INTO watch_version (citizen_id, version, settings, begun_at)
    SELECT citizen_id, version,
        settings - '{citizen_id,version,consent_epoch,located,changed_at,muted_channels,muted_postings}'::text[], changed_at
    FROM watch
    """,
    "ALTER TABLE inbox_item ADD COLUMN made_of_version integer",
    "UPDATE inbox_item SET made_of_version = posting_version",
    "ALTER TABLE inbox_item ALTER COLUMN made_of_version SET NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
