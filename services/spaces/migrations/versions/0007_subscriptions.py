"""Plans, subscriptions, lots of hour credits, and the ledger of credits and fees, to which lines are only ever added."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    CREATE TABLE plan (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('seat', 'hours')),
        minutes integer NOT NULL CHECK (minutes >= 0),
        price_krw integer NOT NULL CHECK (price_krw >= 0),
        carry_months integer NOT NULL CHECK (carry_months >= 0),
        space_kinds text[] NOT NULL,
        space_ids uuid[] NOT NULL,
        status text NOT NULL CHECK (status IN ('open', 'closed')),
        version integer NOT NULL CHECK (version >= 1),
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        CHECK ((kind = 'hours') = (minutes > 0))
    )
    """,
    "CREATE INDEX plan_newest ON plan (created_at DESC, id DESC)",
    """
    CREATE TABLE subscription (
        id uuid PRIMARY KEY,
        plan_id uuid NOT NULL REFERENCES plan,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
        paused_at timestamptz,
        paused_days integer NOT NULL DEFAULT 0,
        ended_at timestamptz,
        because text,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX subscription_once ON subscription (plan_id, citizen_id) WHERE state <> 'ended'",
    "CREATE INDEX subscription_of_citizen ON subscription (citizen_id, created_at DESC, id DESC)",
    "CREATE INDEX subscription_running ON subscription (id) WHERE state = 'active'",
    """
    CREATE TABLE credit_lot (
        id uuid PRIMARY KEY,
        subscription_id uuid NOT NULL REFERENCES subscription,
        month text NOT NULL,
        minutes integer NOT NULL CHECK (minutes >= 0),
        fee_krw integer NOT NULL CHECK (fee_krw >= 0),
        valid_from timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > valid_from),
        closed boolean NOT NULL DEFAULT false,
        UNIQUE (subscription_id, month)
    )
    """,
    "CREATE INDEX credit_lot_due ON credit_lot (expires_at) WHERE NOT closed",
    # Double entry: every line names the account that it changes; the lines of an entry sum to nothing, unit by unit.
    """
    CREATE TABLE credit_line (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        entry_id uuid NOT NULL,
        act text NOT NULL,
        account text NOT NULL,
        unit text NOT NULL CHECK (unit IN ('minutes', 'krw')),
        amount bigint NOT NULL CHECK (amount <> 0),
        subscription_id uuid NOT NULL REFERENCES subscription,
        lot_id uuid REFERENCES credit_lot,
        month text NOT NULL,
        booking_id uuid,
        because text,
        entered_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX credit_line_of_subscription ON credit_line (subscription_id, seq)",
    "CREATE INDEX credit_line_of_booking ON credit_line (booking_id) WHERE booking_id IS NOT NULL",
    """
    CREATE TABLE credit_balance (
        account text NOT NULL,
        unit text NOT NULL,
        amount bigint NOT NULL,
        PRIMARY KEY (account, unit),
        CONSTRAINT credit_never_below_nothing CHECK (account NOT LIKE 'lot:%' OR amount >= 0)
    )
    """,
    """
    CREATE FUNCTION credit_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the credit ledger is append-only: enter the opposite instead'; END $$
    """,
    "CREATE TRIGGER credit_line_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_line "
    "FOR EACH STATEMENT EXECUTE FUNCTION credit_ledger_is_append_only()",
    """
    CREATE FUNCTION credit_balance_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE credit_balance SET amount = amount + NEW.amount WHERE account = NEW.account AND unit = NEW.unit;
        IF NOT FOUND THEN
            INSERT INTO credit_balance (account, unit, amount) VALUES (NEW.account, NEW.unit, NEW.amount)
            ON CONFLICT (account, unit) DO UPDATE SET amount = credit_balance.amount + NEW.amount;
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER credit_balance_follows AFTER INSERT ON credit_line "
    "FOR EACH ROW EXECUTE FUNCTION credit_balance_follows()",
    """
    CREATE FUNCTION credit_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM credit_line WHERE entry_id = NEW.entry_id GROUP BY unit HAVING sum(amount) <> 0) THEN
            RAISE EXCEPTION 'the lines of a credit entry must sum to nothing';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE INDEX credit_line_of_entry ON credit_line (entry_id)",
    "CREATE CONSTRAINT TRIGGER credit_entry_balances AFTER INSERT ON credit_line DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION credit_entry_balances()",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
