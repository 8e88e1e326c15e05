"""Promotions and rollbacks at once, on the storage of a running cloud: its If-Match decides who was first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from andamio.adapters.s3 import S3Objects
from andamio.release.history import read_history
from andamio.release.pointer import read_pointer
from andamio.storage import layout
from rollout.promote import promote
from rollout.rollback import roll_back
from tests.support.racing import race
from tests.support.releases import heart as contract
from tests.support.releases import linear_onnx, seal_release

from .conftest import Deployed

pytestmark = pytest.mark.e2e

BUCKET = "andamio-race"
THREADS, EACH = 5, 3


@pytest.fixture
def models(heart: Deployed) -> Iterator[S3Objects]:
    """A bucket of this test's own."""
    s3 = heart.account.client("s3")
    s3.create_bucket(Bucket=BUCKET)  # a local cloud is in us-east-1, which takes no LocationConstraint
    objects = heart.account.objects(BUCKET)
    yield objects
    for info in objects.list(""):
        s3.delete_object(Bucket=BUCKET, Key=info.key)
    s3.delete_bucket(Bucket=BUCKET)


def test_racing_promotions_and_rollbacks_leave_one_history_without_holes(models: S3Objects) -> None:
    versions = [seal_release(models, contract(), linear_onnx(contract(), favour=favour)) for favour in (0, 1)]
    for version in versions:
        promote(models, "heart", version, datetime.now(UTC), by="ada", reason="")

    def change(seen: Any, chance: random.Random, number: int) -> bool:
        version = chance.choice(versions)
        if chance.random() < 0.5:
            return promote(seen, "heart", version, datetime.now(UTC), by=f"p{number}", reason="", force=True)
        rolled = roll_back(seen, "heart", datetime.now(UTC), by=f"r{number}", reason="", version=version, force=True)
        return rolled is not None

    assert race(models, layout.pointer("heart"), change, threads=THREADS, each=EACH), "they did race"
    records = read_history(models, "heart")
    assert [each.revision for each in records] == list(range(1, 2 + THREADS * EACH + 1))
    assert all(after.before == before.release for before, after in pairwise(records))
    champion = read_pointer(models, "heart")[0].champion
    assert champion is not None
    assert champion.release == records[-1].release
