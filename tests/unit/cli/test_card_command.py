"""`andamio card`: the card of the champion, or of the release that was named."""

from __future__ import annotations

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models.card import find
from andamio.errors import NoModel, ReleaseError
from andamio.release.release import CARD
from tests.support.releases import heart, promote, seal_release


def test_it_is_the_champion_s_unless_told() -> None:
    objects = MemoryObjects()
    first = seal_release(objects, heart(), changed={CARD: b"# first"})
    second = seal_release(objects, heart(), changed={CARD: b"# second"})
    promote(objects, "heart", second)
    assert find(objects, "heart", None) == (second, "# second")
    assert find(objects, "heart", first) == (first, "# first")


def test_what_is_not_there_is_said_with_what_to_do() -> None:
    objects = MemoryObjects()
    with pytest.raises(NoModel, match="andamio ingest"):
        find(objects, "heart", None)
    with pytest.raises(NoModel, match="andamio train"):
        find(objects, "heart", seal_release(objects, heart()))
    with pytest.raises(ReleaseError):
        find(objects, "heart", "0123456789abcdef")
