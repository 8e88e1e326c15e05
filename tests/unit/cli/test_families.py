"""`andamio train --families`: names in any of the ways that people write lists."""

from __future__ import annotations

import pytest

from andamio.cli.models.pipeline import families


@pytest.mark.parametrize(
    "said", [["mlp", "random_forest"], ["mlp,random_forest"], ["mlp, random_forest,"], ["mlp", "random_forest,mlp"]]
)
def test_families_come_one_by_one_or_with_commas(said: list[str]) -> None:
    assert families(said) == ["mlp", "random_forest"]
