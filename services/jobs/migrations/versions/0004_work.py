"""The ledger of hours and pay, to which lines are only ever added; the month's cap, as last told."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE claim ADD COLUMN offline boolean NOT NULL DEFAULT false",
    """
    CREATE TABLE ledger (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        claim_id uuid NOT NULL REFERENCES claim,
        posting_id uuid NOT NULL,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        month text NOT NULL,
        minutes integer NOT NULL,
        pay_krw integer NOT NULL,
        reverses uuid UNIQUE REFERENCES ledger,
        because text,
        entered_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ledger_of_citizen ON ledger (citizen_id, month)",
    "CREATE INDEX ledger_of_institution ON ledger (institution, month)",
    "CREATE INDEX ledger_of_claim ON ledger (claim_id)",
    """
    CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only: reverse the line instead'; END $$
    """,
    "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger "
    "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()",
    "CREATE TABLE month_cap (citizen_id text, month text, reached boolean NOT NULL, PRIMARY KEY (citizen_id, month))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
