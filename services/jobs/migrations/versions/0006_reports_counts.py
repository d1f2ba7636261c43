"""신고: reports, what is held meanwhile, the audit trail of moderation; counts of alerted and viewed."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    CREATE TABLE report (
        id uuid PRIMARY KEY,
        posting_id uuid NOT NULL REFERENCES posting,
        institution text NOT NULL,
        reporter text NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        state text NOT NULL CHECK (state IN ('open', 'held', 'released', 'removed')),
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        UNIQUE (posting_id, reporter)
    )
    """,
    "CREATE INDEX report_queue ON report (state, created_at, id)",
    "CREATE TABLE held_posting (posting_id uuid PRIMARY KEY REFERENCES posting, status text NOT NULL, closed_because text)",
    """
    CREATE TABLE audit (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL,
        moderator text NOT NULL,
        act text NOT NULL,
        subject text NOT NULL,
        reason text NOT NULL
    )
    """,
    "CREATE INDEX audit_newest ON audit (at DESC, id DESC)",
    "CREATE INDEX audit_of_subject ON audit (subject, at DESC, id DESC)",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()",
    "CREATE TABLE posting_seen (posting_id uuid NOT NULL REFERENCES posting, viewer text NOT NULL, PRIMARY KEY (posting_id, viewer))",
    "CREATE TABLE posting_alerted (posting_id uuid PRIMARY KEY, alerts integer NOT NULL)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
