"""Settings of the spaces service."""

from __future__ import annotations

from shared.settings import PlatformSettings


class Settings(PlatformSettings):
    """Nothing of its own yet."""
