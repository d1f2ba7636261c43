"""Search in Korean: every pair of neighbouring letters of a notice, spaces left out, in an inverted index."""

from alembic import op

revision = "0005"
down_revision = "0004"

# Spaces are left out because Korean is written with and without them; only ASCII is lowered, so that every server and
# collation agrees. Immutable, as a generated column asks.
STATEMENTS = (
    """
    CREATE FUNCTION squeezed(said text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT lower(regexp_replace(normalize(said, NFC), U&'[[:space:]\\00A0\\3000]+' , '', 'g') COLLATE "C") $$
    """,
    """
    CREATE FUNCTION letter_pairs(said text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT coalesce(array_agg(DISTINCT substr(said, n, 2)), '{}') FROM generate_series(1, length(said) - 1) AS n $$
    """,
    """
    ALTER TABLE notice ADD COLUMN said text GENERATED ALWAYS AS
        (squeezed(headline || ' ' || body || ' ' || coalesce(more->>'summary', '') || ' ' || channel)) STORED
    """,
    """
    ALTER TABLE notice ADD COLUMN pairs text[] GENERATED ALWAYS AS
        (letter_pairs(squeezed(headline || ' ' || body || ' ' || coalesce(more->>'summary', '') || ' ' || channel))) STORED
    """,
    "CREATE INDEX notice_pairs ON notice USING gin (pairs)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
