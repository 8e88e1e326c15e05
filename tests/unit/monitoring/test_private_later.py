"""A feature that is marked private after its release was made: no capture holds it, and the others are compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.contract.tables import Batch, Monitor
from andamio.release.release import Release
from lambdas.api.predictions.capture import Capture
from monitoring import evidence, reference
from monitoring.captures import read_window
from monitoring.delivery import read, store
from monitoring.feedback import StoredPredictions
from monitoring.window import Window
from scoring.worker import score_shard
from tests.support.api import Api
from tests.support.capture import PATIENT, delivery
from tests.support.releases import HEART_FOLDER, heart
from tests.support.scoring import planned
from tests.support.watched import watched_release

HEART = heart()
HIDDEN = 2.015625
DEPLOYED = Contract.from_toml(
    (HEART_FOLDER / "problem.toml").read_text().replace("[features.oldpeak]", "[features.oldpeak]\nprivate = true")
)
RECORD = PATIENT | {"oldpeak": HIDDEN}
HOUR = timedelta(hours=1)


def day() -> Window:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    return Window(end - 24 * HOUR, end)


@pytest.mark.parametrize("hidden", [frozenset(DEPLOYED.private), frozenset[str]()])
def test_predictions_of_the_api_are_kept_without_it(capsys: pytest.CaptureFixture[str], hidden: frozenset[str]) -> None:
    """Also those that an API logged which was not deployed yet."""
    api, lake = Api(capture=Capture(hidden=hidden)), MemoryObjects("lake")
    version = watched_release(api.objects)
    assert api.predict(RECORD).status == 200
    lines = [line for line in capsys.readouterr().out.splitlines() if '"andamio.prediction"' in line]
    assert (str(HIDDEN) in lines[0]) is not bool(hidden)
    store(read(delivery(lines), DEPLOYED), DEPLOYED, lake, MemoryPredictionStore())
    window = day()
    assert evidence.compact(lake, api.objects, window, DEPLOYED) == 1
    contract = Release.open(api.objects, version).contract().hiding(DEPLOYED.private)
    elsewhere = StoredPredictions(MemoryPredictionStore(), MemoryObjects("batch"))
    found = evidence.read(lake, contract, window, version, Monitor(), Batch(), elsewhere)
    assert (found.rows_seen, len(found.labels), found.unreadable) == (1, 1, 0)
    assert "oldpeak" not in found.columns
    assert found.columns["age"].tolist() == [63]
    assert "private" in reference.of_release(Release.open(api.objects, version), contract).skipped["oldpeak"]


def test_rows_of_a_batch_are_kept_without_it() -> None:
    header, first, *_ = (HEART_FOLDER / "heart.csv").read_text().splitlines()
    scored, lake = planned(HEART, f"{header}\n{first}\n".encode()), MemoryObjects("lake")
    (shard,) = scored.cut.shards
    score_shard(
        scored.batch, scored.table, scored.plan, scored.cut, shard, scored.contract, scored.model,
        lake=lake, capture_share=1.0, private=DEPLOYED.private,
    )  # fmt: skip
    assert all(b"oldpeak" not in lake.get(info.key).body for info in lake.list(""))
    start = datetime.fromisoformat(scored.plan.created).astimezone(UTC).replace(minute=0, second=0)
    hiding = HEART.hiding(DEPLOYED.private)
    found = read_window(lake, hiding, scored.plan.release, start, start + HOUR).captured
    assert found.rows == 1
    assert "oldpeak" not in found.columns
    # Where it is private no longer, what was kept in between has no value of it.
    again = read_window(lake, HEART, scored.plan.release, start, start + HOUR).captured
    assert json.dumps(again.columns["oldpeak"].tolist()) == "[NaN]"


def test_a_contract_hides_what_it_has_and_nothing_else() -> None:
    hiding = HEART.hiding(["oldpeak", "nothing"])
    assert hiding.private == ("oldpeak",)
    assert (HEART.private, HEART.hiding(["nothing"])) == ((), HEART)
