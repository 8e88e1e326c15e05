"""The last part of `make demo`: drift, retraining with labels, the gate's answer, a canary, promotion, rollback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from andamio.release.pointer import read_pointer

from .conftest import EMULATOR, REPO, Clone
from .test_verify import NIGHTLY

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),  # a demo with a training more
    pytest.mark.skipif(not NIGHTLY, reason="a local cloud and a whole demo more: every night, and in `make e2e`"),
]

STEPS = (
    r"ALARM The records of this window differ from those that the model was trained on",
    r"794 labels: for these predictions the truth has become known",
    r"The watch: Retraining starts, because of drift in this window .*: 294 labelled records are new\.",
    r"ETL: data version \w+, \d+ rows to train on and \d+ to judge by",
    r"The new model was not promoted On \d+ rows that no training run saw, roc_auc is .*, so it is not promoted\.",
    r"Release \w+ is the challenger now, and answers 10% of the records\.",
    r"The canary: the challenger answered \d+ of the same 294 records, the champion the others\.",
    r"Promoted by hand, before the trial's 30 minutes are over: the API and MLflow followed within [\d.]+ s\.",
    r"Rolled back: the API and MLflow followed within [\d.]+ s\.",
    r"What served when, and why",
)


@pytest.fixture
def fresh() -> Iterator[Clone]:
    """A clone that nobody has used: what other tests predict and label would be the watch's evidence too."""
    clone = Clone(Path(tempfile.mkdtemp(prefix="andamio-")))
    try:
        yield clone
    finally:
        done = clone.run("down", "--purge")
        shutil.rmtree(clone.home, ignore_errors=True)
        assert done.code == 0, done.said


def test_the_whole_demo_says_what_follows_drift_and_once_more_it_trains_nothing(fresh: Clone) -> None:
    clone = fresh
    told = subprocess.run(
        ["make", "demo", f"EMULATOR={EMULATOR}"], cwd=REPO, env=clone.env, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    said = " ".join((told.stderr + told.stdout).split())
    assert [step for step in STEPS if not re.search(step, said)] == [], said
    heart = clone.deployed("heart")

    records = json.loads(clone.ok("history", "--json").out)
    assert [record["kind"] for record in records] == ["promoted", "rejected", "challenged", "promoted", "rolled_back"]
    first, rejected, challenged, promoted, rolled_back = records
    assert "The watch started this training. Retraining: drift" in rejected["reason"]
    tried = rejected["release"]
    assert (challenged["release"], promoted["release"], rolled_back["before"]) == (tried, tried, tried)
    assert {record["by"] for record in (challenged, promoted, rolled_back)} != {"the gate"}
    assert all(record["reason"].startswith("the demo: ") for record in (challenged, promoted, rolled_back))

    pointer, _ = read_pointer(heart.bucket("models"), "heart")
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.challenger) == (first["release"], None)
    assert tried in {one.release for one in pointer.withdrawn}

    before = (len(heart.executions("etl")), len(heart.executions("train")))
    again = clone.ok("demo")
    assert "The watch: No retraining" in " ".join(again.err.split())
    assert (len(heart.executions("etl")), len(heart.executions("train"))) == before
    assert read_pointer(heart.bucket("models"), "heart")[0] == pointer
