"""Comments of citizens to an institution, its answers, reports of them, and what moderation did."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE comment (
        id uuid PRIMARY KEY,
        notice_id uuid NOT NULL REFERENCES notice,
        institution text NOT NULL,
        author text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('open', 'answered', 'hidden')),
        body text NOT NULL,
        answer text,
        answered_at timestamptz,
        reported boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX comment_of_notice ON comment (notice_id, created_at DESC, id DESC) WHERE state = 'answered'",
    "CREATE INDEX comment_of_institution ON comment (institution, state, created_at DESC, id DESC)",
    "CREATE INDEX comment_of_author ON comment (author, created_at DESC, id DESC)",
    "CREATE INDEX comment_reported ON comment (created_at DESC, id DESC) WHERE reported",
    """
    CREATE TABLE comment_report (
        comment_id uuid NOT NULL REFERENCES comment ON DELETE CASCADE,
        reporter text NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (comment_id, reporter)
    )
    """,
    # Without a reference: what moderation did stays known when a comment is taken back.
    """
    CREATE TABLE comment_act (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        comment_id uuid NOT NULL,
        act text NOT NULL,
        moderator text NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
