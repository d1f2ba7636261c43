"""Of most postings the engine keeps the text alone; nobody sees a difference."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta

from services.matching.engine.kept import RECENT, Kept
from shared.contracts import Posting
from tests.bench.memory import postings
from tests.engines import World, about, next_of, place, watch
from tests.samples import NOW, posting


def test_what_is_parsed_anew_is_what_was_put() -> None:
    kept, made = Kept(), list(postings(3 * RECENT, NOW))
    for nth, one in enumerate(made):
        kept.append(None)
        kept[nth] = one
    assert [kept[nth] for nth in range(len(made))] == made


def test_the_newest_state_is_told_whether_or_not_it_was_asked_for_lately() -> None:
    kept, first = Kept(), posting()
    kept.append(None)
    assert kept[0] is None
    kept[0] = first
    for nth, other in enumerate(postings(2 * RECENT, NOW), start=1):
        kept.append(None)
        kept[nth] = other
    newest = next_of(first, headline="바뀐 제목")
    kept[0] = newest
    assert kept[0] == newest


def test_what_is_not_at_hand_takes_no_object() -> None:
    """The gate is bytes, beside those of as many objects."""
    texts, kept = [one.model_dump_json() for one in postings(5 * RECENT, NOW)], Kept()
    tracemalloc.start()
    for nth, text in enumerate(texts):
        kept.append(None)
        kept[nth] = Posting.model_validate_json(text)
    taken, _ = tracemalloc.get_traced_memory()
    objects = [Posting.model_validate_json(text) for text in texts]
    with_objects, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(objects) == len(texts)
    assert taken < 0.75 * (with_objects - taken)


def test_a_change_of_a_posting_long_not_asked_for_is_judged_against_what_it_was() -> None:
    world, first = World(), posting(expires_at=NOW + timedelta(days=3))
    world.set(watch())
    world.stands(100)
    assert world.put(first) == about(first)
    for other in postings(2 * RECENT, NOW):
        world.engine.put_posting(other, world.now, look=False)
    renamed = next_of(first, headline="바뀐 제목")
    assert world.put(renamed) == []
    moved = next_of(renamed, where=place(700, 200), urgency_epoch=1)
    assert world.put(moved) == about(moved)
