"""Answers kept for a moment."""

from __future__ import annotations

from shared.recent import Recent


def test_what_is_kept_is_found_until_its_moment_is_over() -> None:
    kept: Recent[str, int] = Recent(for_s=60, most=10)
    assert kept.get("a") is None
    kept.put("a", 1)
    assert kept.get("a") == 1
    gone: Recent[str, int] = Recent(for_s=0, most=10)
    gone.put("a", 1)
    assert gone.get("a") is None


def test_only_so_many_are_kept_the_oldest_goes_first() -> None:
    kept: Recent[int, int] = Recent(for_s=60, most=2)
    for n in (1, 2, 1, 3):
        kept.put(n, n)
    assert [kept.get(n) for n in (1, 2, 3)] == [1, None, 3]
