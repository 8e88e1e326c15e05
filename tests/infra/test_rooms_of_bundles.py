"""The folders of ours in each bundle are those that its function imports: told before any bundle is built."""

from __future__ import annotations

import pytest

from infra import REPOSITORY
from infra.packing.recipes import RECIPES
from training.outcome import imported


@pytest.mark.parametrize("name", RECIPES)
def test_a_bundle_has_every_room_that_its_function_imports(name: str) -> None:
    rooms = {module.split(".")[0] for module in imported((f"lambdas.{name}.handler",), REPOSITORY)} - {"lambdas"}
    assert rooms <= set(RECIPES[name].packages)
