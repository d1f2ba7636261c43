"""Alembic's entry for this service."""

from shared.migrations_env import run

run()
