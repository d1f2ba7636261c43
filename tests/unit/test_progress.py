"""What a consumer's health says while it is still reading back what it must know."""

from __future__ import annotations

from shared.messaging.progress import Progress


def test_a_worker_that_reads_back_says_how_far_it_is_and_is_not_ready() -> None:
    progress = Progress("group", stale_after_s=30)
    progress.reads_back("postings", 120_000)
    assert progress.problem() == "group is being restored: 120,000 postings read back so far"
    progress.reads_back("watches", 5_000)
    assert progress.problem() == "group is being restored: 5,000 watches read back so far"


def test_a_worker_that_knows_all_says_what_else_is_missing() -> None:
    progress = Progress("group", stale_after_s=30)
    progress.reads_back("postings", 1)
    progress.reads_back(None)
    assert progress.problem() == "group has not joined its group yet"


def test_reading_back_is_getting_on() -> None:
    progress = Progress("group", stale_after_s=30)
    before = progress.age_s
    progress.reads_back("postings", 1)
    assert progress.age_s <= before + 1


def test_a_halt_is_told_before_all_else() -> None:
    progress = Progress("group", stale_after_s=30)
    progress.reads_back("postings", 1)
    progress.halt("too many bad fixes")
    assert progress.problem() == "group halted: too many bad fixes"
