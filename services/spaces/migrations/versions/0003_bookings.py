"""Bookings: units that cannot be booked twice, what a space's officer decides about booking it."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    """
    ALTER TABLE space
        ADD COLUMN units integer NOT NULL DEFAULT 1 CHECK (units BETWEEN 1 AND 1000),
        ADD COLUMN amenities text[] NOT NULL DEFAULT '{}',
        ADD COLUMN photos text[] NOT NULL DEFAULT '{}',
        ADD COLUMN before_min integer NOT NULL DEFAULT 0 CHECK (before_min >= 0),
        ADD COLUMN after_min integer NOT NULL DEFAULT 0 CHECK (after_min >= 0),
        ADD COLUMN min_minutes integer NOT NULL DEFAULT 30 CHECK (min_minutes >= 1),
        ADD COLUMN max_minutes integer NOT NULL DEFAULT 1440 CHECK (max_minutes >= min_minutes),
        ADD COLUMN lead_minutes integer NOT NULL DEFAULT 0 CHECK (lead_minutes >= 0),
        ADD COLUMN ahead_days integer NOT NULL DEFAULT 90 CHECK (ahead_days >= 1),
        ADD COLUMN approval text NOT NULL DEFAULT 'instant' CHECK (approval IN ('instant', 'officer'))
    """,
    # Bookings longer than max_minutes is now may be left from before: who looks for them looks back so far.
    "ALTER TABLE space ADD COLUMN longest_minutes integer NOT NULL DEFAULT 0",
    """
    CREATE FUNCTION space_longest() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.longest_minutes := greatest(NEW.longest_minutes, NEW.max_minutes); RETURN NEW; END $$
    """,
    "CREATE TRIGGER space_longest BEFORE INSERT OR UPDATE ON space FOR EACH ROW EXECUTE FUNCTION space_longest()",
    "CREATE INDEX space_place ON space (lat, lon) WHERE status = 'open'",
    "UPDATE space SET units = least(capacity, 1000) WHERE space_kind <> 'room'",
    """
    CREATE TABLE space_unit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        n integer NOT NULL CHECK (n >= 1),
        retired_at timestamptz,
        UNIQUE (space_id, n)
    )
    """,
    "INSERT INTO space_unit (space_id, n) SELECT id, n FROM space, generate_series(1, units) AS n ORDER BY id, n",
    # Whoever adds spaces or makes one larger, its units are there; making one smaller is decided with the bookings in mind.
    """
    CREATE FUNCTION space_has_units() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO space_unit (space_id, n) SELECT NEW.id, n FROM generate_series(1, NEW.units) AS n
        ON CONFLICT (space_id, n) DO UPDATE SET retired_at = NULL WHERE space_unit.retired_at IS NOT NULL;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER space_has_units AFTER INSERT OR UPDATE OF units ON space "
    "FOR EACH ROW EXECUTE FUNCTION space_has_units()",
    """
    CREATE TABLE booking (
        id uuid PRIMARY KEY,
        space_id uuid NOT NULL REFERENCES space,
        unit_id bigint NOT NULL REFERENCES space_unit,
        institution text NOT NULL,
        citizen_id text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('held', 'pending', 'confirmed', 'in_use', 'done', 'expired', 'rejected',
            'cancelled', 'no_show')),
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
        occupied tstzrange NOT NULL CHECK (NOT isempty(occupied)),
        before_min integer NOT NULL,
        after_min integer NOT NULL,
        hold_until timestamptz,
        extensions integer NOT NULL DEFAULT 0,
        people integer NOT NULL CHECK (people >= 1),
        name text,
        purpose text,
        price_krw integer NOT NULL CHECK (price_krw >= 0),
        subscription_id uuid,
        credit_minutes integer NOT NULL DEFAULT 0 CHECK (credit_minutes >= 0),
        series_id uuid,
        waiting_id uuid,
        confirmed_at timestamptz,
        checked_in_at timestamptz,
        ended_at timestamptz,
        because text,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        CONSTRAINT booking_never_twice EXCLUDE USING gist (unit_id WITH =, occupied WITH &&)
            WHERE (state IN ('held', 'pending', 'confirmed', 'in_use', 'done'))
    )
    """,
    "CREATE INDEX booking_of_space ON booking (space_id, starts_at) "
    "WHERE state IN ('held', 'pending', 'confirmed', 'in_use', 'done')",
    "CREATE INDEX booking_of_citizen ON booking (citizen_id, created_at DESC, id DESC)",
    "CREATE INDEX booking_of_series ON booking (series_id, starts_at) WHERE series_id IS NOT NULL",
    "CREATE INDEX booking_held ON booking (hold_until) WHERE state = 'held'",
    "CREATE INDEX booking_awaited ON booking (starts_at) WHERE state IN ('pending', 'confirmed')",
    "CREATE INDEX booking_in_use ON booking (ends_at) WHERE state = 'in_use'",
    "CREATE INDEX booking_queue ON booking (institution, created_at, id) WHERE state = 'pending'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
