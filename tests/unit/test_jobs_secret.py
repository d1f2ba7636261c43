"""The key that makes check-in codes and signs profiles is never in the tree: made at start, or given."""

from __future__ import annotations

import pytest

from services.jobs.app import build
from services.jobs.settings import Settings


def test_without_a_given_secret_every_start_makes_its_own() -> None:
    assert Settings().jobs_secret != Settings().jobs_secret


def test_production_refuses_to_start_without_a_given_secret() -> None:
    with pytest.raises(ValueError, match="GWANGSAN_JOBS_SECRET"):
        build(Settings(environment="production"))


def test_a_secret_is_not_shown_with_the_settings() -> None:
    assert "a-given-secret-of-length" not in repr(Settings(jobs_secret="a-given-secret-of-length"))
