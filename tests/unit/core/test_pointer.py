"""The pointer moves by one conditional write, and its bytes never repeat."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.adapters.memory import MemoryObjects
from andamio.errors import NotReady, PreconditionFailed, ReleaseError
from andamio.release.pointer import Pointer, PointerEntry, champion, read_pointer, swap_pointer
from andamio.storage import layout


def served(release: str) -> PointerEntry:
    return PointerEntry(release, "2026-01-31T12:00:00+00:00", "run-1")


def promote(objects: MemoryObjects, release: str) -> None:
    pointer, etag = read_pointer(objects, "heart")
    swap_pointer(objects, pointer.promoted(served(release)), etag)


def test_before_the_first_model_there_is_nothing_and_it_says_what_to_do() -> None:
    pointer, etag = read_pointer(MemoryObjects(), "heart")
    assert (pointer, etag) == (Pointer("heart"), None)
    with pytest.raises(NotReady, match=r"No model of 'heart' is served yet. Put data under raw/"):
        champion(pointer)


def test_a_promotion_keeps_the_champion_before_and_frees_the_challengers_place() -> None:
    objects = MemoryObjects()
    promote(objects, "a")
    pointer, etag = read_pointer(objects, "heart")
    swap_pointer(objects, replace(pointer, revision=2, challenger=served("x"), share=0.1), etag)
    promote(objects, "b")
    pointer, _ = read_pointer(objects, "heart")
    assert pointer == Pointer("heart", 3, champion=served("b"), previous=served("a"))
    assert champion(pointer).release == "b"


@given(st.lists(st.sampled_from("ab"), min_size=2, max_size=12))
def test_revisions_grow_and_bytes_never_repeat(releases: list[str]) -> None:
    """A -> B -> A is three states: a swap that was decided on the first must not pass on the third."""
    objects = MemoryObjects()
    seen, etags = set(), set()
    for revision, release in enumerate(releases, 1):
        promote(objects, release)
        stored = objects.get(layout.pointer("heart"))
        seen.add(stored.body)
        etags.add(stored.etag)
        assert read_pointer(objects, "heart")[0].revision == revision
    assert len(seen) == len(etags) == len(releases)


def test_a_swap_decided_on_an_older_state_fails() -> None:
    objects = MemoryObjects()
    promote(objects, "a")
    old, old_etag = read_pointer(objects, "heart")
    for release in ("b", "a"):
        promote(objects, release)
    before = objects.get(layout.pointer("heart"))
    with pytest.raises(PreconditionFailed):
        swap_pointer(objects, old.promoted(served("c")), old_etag)
    assert objects.get(layout.pointer("heart")) == before


def test_of_many_first_promotions_one_wins() -> None:
    objects = MemoryObjects()
    empty, etag = read_pointer(objects, "heart")

    def first(release: int) -> bool:
        try:
            swap_pointer(objects, empty.promoted(served(str(release))), etag)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(first, range(32)))
    assert won.count(True) == 1
    assert champion(read_pointer(objects, "heart")[0]).release == str(won.index(True))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"problem": "heart", "revision": "x"}'])
def test_what_is_no_pointer_is_an_error_that_says_what_to_do(body: bytes) -> None:
    objects = MemoryObjects()
    objects.put(layout.pointer("heart"), body)
    with pytest.raises(ReleaseError, match=r"serving/heart.json is not a pointer .*: restore an older version"):
        read_pointer(objects, "heart")
