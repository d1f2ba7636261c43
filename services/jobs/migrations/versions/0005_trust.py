"""Reviews, appeals against them, and the profile: a projection of what was told."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE review (
        id uuid PRIMARY KEY,
        claim_id uuid NOT NULL REFERENCES claim,
        posting_id uuid NOT NULL,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        by text NOT NULL CHECK (by IN ('citizen', 'institution')),
        version integer NOT NULL,
        state text NOT NULL CHECK (state IN ('sealed', 'revealed', 'hidden')),
        tags text[] NOT NULL,
        recommends boolean NOT NULL,
        comment text NOT NULL,
        appeal text,
        appealed_at timestamptz,
        decided_because text,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        UNIQUE (claim_id, by)
    )
    """,
    "CREATE INDEX review_sealed ON review (created_at) WHERE state = 'sealed'",
    "CREATE INDEX review_appealed ON review (appealed_at, id) WHERE appealed_at IS NOT NULL AND decided_because IS NULL",
    "CREATE TABLE profile (citizen_id text PRIMARY KEY, facts jsonb NOT NULL)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
