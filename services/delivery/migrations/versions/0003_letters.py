"""What goes into a digest is written once and belongs to a letter, which alone is taken, sent and noted (decision 0017)."""

from alembic import op

revision = "0003"
down_revision = "0002"

LETTER = (
    """
    CREATE TABLE letter (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        target_id uuid NOT NULL,
        channel text NOT NULL,
        due_at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('gathering', 'waiting', 'sending', 'sent', 'dropped')),
        because text,
        attempts smallint NOT NULL DEFAULT 0,
        ended_at timestamptz,
        cleared boolean NOT NULL DEFAULT false,
        CHECK ((state IN ('sent', 'dropped')) = (ended_at IS NOT NULL))
    )
    """,
    "CREATE UNIQUE INDEX letter_gathering ON letter (target_id) WHERE state = 'gathering'",
    "CREATE INDEX letter_due ON letter (channel, due_at) WHERE ended_at IS NULL",
    "CREATE INDEX letter_of_target ON letter (target_id) WHERE ended_at IS NULL",
    "CREATE INDEX letter_uncleared ON letter (ended_at) WHERE ended_at IS NOT NULL AND NOT cleared",
)
# By addressee first: what is known of one is found without an index of its own. Room on the page: contents are cleared in place.
DELIVERY = (
    "ALTER TABLE delivery ADD COLUMN letter_id uuid",
    "ALTER TABLE delivery ALTER COLUMN due_at DROP NOT NULL",
    "ALTER TABLE delivery DROP CONSTRAINT delivery_pkey, ADD PRIMARY KEY (target_id, alert_id)",
    "ALTER TABLE delivery DROP CONSTRAINT delivery_target_id_fkey",
    "ALTER TABLE delivery DROP CONSTRAINT delivery_state_check, DROP CONSTRAINT delivery_check1",
    """
    ALTER TABLE delivery ADD CONSTRAINT delivery_state_check CHECK (state IN ('waiting', 'sending', 'sent', 'dropped', 'gathered')),
        ADD CONSTRAINT delivery_letter_check CHECK ((state = 'gathered') <= (letter_id IS NOT NULL)),
        ADD CONSTRAINT delivery_due_check CHECK ((due_at IS NULL) <= (letter_id IS NOT NULL)),
        ADD CONSTRAINT delivery_content_check CHECK (state = 'gathered' OR (ended_at IS NULL) = (content IS NOT NULL))
    """,
    "DROP INDEX delivery_due",
    "DROP INDEX delivery_of_target",
    "CREATE INDEX delivery_due ON delivery (channel, due_at) WHERE ended_at IS NULL AND letter_id IS NULL",
    "CREATE INDEX delivery_of_target ON delivery (target_id, due_at) WHERE ended_at IS NULL AND letter_id IS NULL",
    "CREATE INDEX delivery_of_letter ON delivery (letter_id) WHERE letter_id IS NOT NULL",
    "ALTER TABLE delivery SET (fillfactor = 70)",
)
# A digest that was tried keeps its id; of what was not, each addressee has one letter, at the first time that was planned.
MOVED = (
    """
    INSERT INTO letter (id, target_id, channel, due_at, state, attempts)
    SELECT batch, target_id, min(channel), min(due_at), CASE WHEN bool_or(state = 'sending') THEN 'sending' ELSE 'waiting' END,
        max(attempts)
    FROM delivery WHERE digest AND ended_at IS NULL AND batch IS NOT NULL GROUP BY batch, target_id
    """,
    """
    INSERT INTO letter (target_id, channel, due_at, state)
    SELECT target_id, min(channel), min(due_at), 'gathering'
    FROM delivery WHERE digest AND ended_at IS NULL AND batch IS NULL GROUP BY target_id
    """,
    """
    UPDATE delivery d SET letter_id = l.id, state = 'gathered', due_at = NULL, batch = NULL FROM letter l
    WHERE d.digest AND d.ended_at IS NULL AND (l.id = d.batch OR d.batch IS NULL AND l.target_id = d.target_id AND l.state = 'gathering')
    """,
)
# In place of a foreign key, which would be looked up, and lock its addressee, for each row.
WITH_ITS_ADDRESSEE = (
    """
    CREATE FUNCTION forget_with_target() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM letter WHERE id IN (SELECT d.letter_id FROM delivery d JOIN gone ON gone.id = d.target_id)
            OR target_id IN (SELECT id FROM gone) AND ended_at IS NULL;
        DELETE FROM delivery WHERE target_id IN (SELECT id FROM gone);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER forget_with_target AFTER DELETE ON target REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_with_target()
    """,
)


def upgrade() -> None:
    for statement in (*LETTER, *DELIVERY, *MOVED, *WITH_ITS_ADDRESSEE):
        op.execute(statement)
