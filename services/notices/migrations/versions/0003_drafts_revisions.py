"""The way of a notice: drafts and who did what to them, revisions, followers as an audience, deadlines, emergencies."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    ALTER TABLE notice
        ADD COLUMN followers boolean NOT NULL DEFAULT false,
        ADD COLUMN emergency boolean NOT NULL DEFAULT false,
        ADD COLUMN deadline timestamptz,
        ADD COLUMN reminded_at timestamptz,
        ADD COLUMN edited_at timestamptz,
        ADD COLUMN origin text,
        ADD COLUMN more jsonb NOT NULL DEFAULT '{}'
    """,
    "ALTER TABLE notice DROP CONSTRAINT notice_check",
    "ALTER TABLE notice ADD CONSTRAINT notice_concerns_somebody "
    "CHECK (followers OR jsonb_array_length(circles) + cardinality(dongs) >= 1)",
    "UPDATE notice SET edited_at = changed_at WHERE version > 1 AND status = 'open'",
    "CREATE INDEX notice_expiring ON notice (expires_at) WHERE status = 'open'",
    "CREATE INDEX notice_to_remind ON notice (deadline) WHERE status = 'open' AND deadline IS NOT NULL AND reminded_at IS NULL",
    """
    CREATE TABLE notice_revision (
        notice_id uuid NOT NULL REFERENCES notice,
        version integer NOT NULL,
        terms jsonb NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (notice_id, version)
    )
    """,
    """
    CREATE TABLE notice_draft (
        id uuid PRIMARY KEY,
        notice_id uuid NOT NULL,
        base_version integer,
        institution text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('draft', 'submitted', 'approved', 'published', 'dropped')),
        content jsonb NOT NULL,
        emergency boolean NOT NULL,
        publish_at timestamptz,
        writers text[] NOT NULL,
        submitted_by text,
        approved_by text,
        because text,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX notice_draft_newest ON notice_draft (institution, created_at DESC, id DESC)",
    "CREATE INDEX notice_draft_due ON notice_draft (publish_at) WHERE state = 'approved'",
    """
    CREATE TABLE notice_act (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        draft_id uuid NOT NULL REFERENCES notice_draft,
        act text NOT NULL,
        by_whom text NOT NULL,
        note text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX notice_act_of ON notice_act (draft_id, seq)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
