"""What the tests of promotions, trials and rollbacks begin with."""

from __future__ import annotations

import pytest

from andamio.adapters.memory import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    """An empty models bucket."""
    return MemoryObjects("models")
