"""Imports of public data: what each file did, what was offered for merging, when a feed last had news; places."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE import (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        source text NOT NULL,
        imported_by text NOT NULL,
        at timestamptz NOT NULL,
        report jsonb NOT NULL,
        rolled_back_at timestamptz
    )
    """,
    "CREATE INDEX import_newest ON import (institution, at DESC, id DESC)",
    """
    CREATE TABLE imported (
        institution text NOT NULL,
        source text NOT NULL,
        external_id text NOT NULL,
        thing_id uuid NOT NULL,
        digest text NOT NULL,
        row jsonb NOT NULL,
        import_id uuid NOT NULL REFERENCES import,
        PRIMARY KEY (institution, source, external_id)
    )
    """,
    """
    CREATE TABLE import_step (
        import_id uuid NOT NULL REFERENCES import,
        external_id text NOT NULL,
        thing_id uuid NOT NULL,
        before jsonb,
        before_digest text,
        PRIMARY KEY (import_id, external_id)
    )
    """,
    """
    CREATE TABLE merge_offer (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        source text NOT NULL,
        external_id text NOT NULL,
        import_id uuid NOT NULL REFERENCES import,
        name text NOT NULL,
        digest text NOT NULL,
        row jsonb NOT NULL,
        near_id uuid NOT NULL,
        near_name text NOT NULL,
        distance_m double precision NOT NULL,
        at timestamptz NOT NULL,
        decided text CHECK (decided IN ('merge', 'separate', 'withdrawn')),
        decided_by text,
        decided_at timestamptz
    )
    """,
    "CREATE UNIQUE INDEX merge_offer_once ON merge_offer (institution, source, external_id) WHERE decided IS NULL",
    "CREATE INDEX merge_offer_newest ON merge_offer (institution, at DESC, id DESC)",
    """
    CREATE TABLE feed (
        institution text NOT NULL,
        source text NOT NULL,
        last_at timestamptz NOT NULL,
        last_rows integer NOT NULL,
        news_at timestamptz NOT NULL,
        PRIMARY KEY (institution, source)
    )
    """,
    """
    CREATE TABLE place (
        id uuid PRIMARY KEY,
        institution text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('library')),
        name text NOT NULL,
        about text NOT NULL,
        address text,
        lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
        lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
        seats integer NOT NULL CHECK (seats >= 0),
        phone text NOT NULL,
        homepage text NOT NULL,
        hours jsonb NOT NULL,
        rest_text text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX place_by_name ON place (name, id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
