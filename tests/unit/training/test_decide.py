"""The decision: against the champion of this moment, both scored on the same rows, once for each of its states."""

import json

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.columns import ColumnFile
from andamio.release import release
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from andamio.storage import layout
from tests.support.datasets import HEART_FOLDER, SPLIT, heart_cells, publish
from tests.support.releases import linear_onnx, release_files
from tests.support.runs import copied, evaluated
from training.evaluate.decide import decide, summary
from training.run import Run, candidate_file

HEART = Contract.load(HEART_FOLDER)


@pytest.fixture(scope="module")
def evaluated_once():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    run, _ = evaluated(lake, models, HEART)
    return lake, models, run


@pytest.fixture
def world(evaluated_once):
    return copied(evaluated_once[0]), copied(evaluated_once[1])


@pytest.fixture
def run(evaluated_once):
    return evaluated_once[2]


def serve(models, version):
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(version, "2026-01-01T00:00:00+00:00", "an earlier one")), etag)


def sealed(models, run, decision):
    """The run's candidate as a release, as registering seals it."""
    of = Run(run, models)
    found, planned = of.fit(), of.plan()
    files = {name: of.read(candidate_file(name), digest, "fit") for name, digest in found.files.items()}
    files |= {name: b"{}" for name in release.FILES if name not in files}
    info = planned.model_dump(include={"problem", "dataset", "split"})
    return release.seal(models, files, {**info, "run": run, "threshold": found.threshold})


def other_release(models, contract=HEART, *, split=SPLIT, **said):
    info = {"problem": "heart", "run": "another", "dataset": "old", "split": split, "threshold": 0.5}
    return release.seal(models, release_files(contract, linear_onnx(contract, **said)), info)


def test_without_a_champion_a_model_has_to_beat_the_majority_class(world, run):
    decision = decide(*world, run)
    assert (decision.outcome, decision.rule, decision.revision) == ("promoted", "majority_class", 0)
    assert decision.etag is None


def test_the_decision_is_written_with_all_of_its_numbers_and_can_be_read(world, run):
    name = decide(*world, run).decision
    written = json.loads(world[1].get(layout.run(run, f"decisions/{name}.json")).body)
    assert {"outcome", "reason", "score", "baseline", "gain", "probability", "confidence", "rows", "seed"} <= set(
        written
    )
    assert "majority class" in written["reason"]


def test_deciding_again_about_the_same_champion_returns_what_was_decided(world, run):
    first, writes = decide(*world, run), list(world[1].writes)
    assert decide(*world, run) == first
    assert world[1].writes == writes


def test_a_model_that_is_the_champion_itself_is_not_judged(world, run):
    serve(world[1], sealed(world[1], run, decide(*world, run).decision))
    decision = decide(*world, run)
    assert (decision.outcome, decision.rule) == ("tied", "same_model")
    assert decision.probability is None
    assert summary(decision, 1).value is not None


def damage(models, version, file):
    models.put(layout.release(version, file), b"truncated")


@pytest.mark.parametrize("file", ["model.onnx", "contract.json", "manifest.json"])
def test_a_champion_that_cannot_be_read_counts_as_absent_and_the_decision_says_so(world, run, file):
    version = sealed(world[1], run, decide(*world, run).decision)
    serve(world[1], version)
    assert decide(*world, run).outcome == "tied"
    damage(world[1], version, file)
    decision = decide(*world, run)
    assert (decision.outcome, decision.rule) == ("promoted", "majority_class")
    assert "The champion counts as absent" in decision.reason
    assert f"release {version}: {file}" in decision.champion_unreadable
    assert decision.champion.release == version, "the pointer still names it"
    assert decide(*world, run) == decision


def test_a_weak_champion_is_replaced_and_scored_now_on_the_same_rows(world, run):
    serve(world[1], other_release(world[1]))
    decision = decide(*world, run)
    assert (decision.outcome, decision.rule) == ("promoted", "champion")
    assert decision.baseline.value < decision.score.value
    assert decision.revision == 1


def test_of_train_only_the_numbers_are_read_that_quartiles_are_made_of(world, run, monkeypatch):
    """All columns of millions of rows take more memory than the rest of the decision."""
    serve(world[1], other_release(world[1]))
    read_column, read = ColumnFile.__getitem__, []

    def noted(file, name):
        column = read_column(file, name)
        read.append((name, len(column)))
        return column

    monkeypatch.setattr(ColumnFile, "__getitem__", noted)
    decide(*world, run)
    train = max(rows for _, rows in read)
    numbers = [name for name, feature in HEART.inputs.items() if feature.type in ("integer", "number")]
    assert [name for name, rows in read if rows == train] == numbers


def test_a_run_that_ends_at_the_champions_own_model_ties(world, run):
    serve(world[1], sealed(world[1], run, decide(*world, run).decision))
    later = HEART.model_copy(update={"training": HEART.training.model_copy(update={"budget_minutes": 20.0})})
    again, _ = evaluated(*world, later)  # the same rows and folds give the same regression
    assert again != run
    assert decide(*world, again).outcome == "tied"


def test_an_edited_text_is_served_without_being_judged(world, run):
    first = sealed(world[1], run, decide(*world, run).decision)
    serve(world[1], first)
    edited = HEART.model_copy(update={"problem": HEART.problem.model_copy(update={"title": "Another title"})})
    again, _ = evaluated(*world, edited)
    decision = decide(*world, again)
    assert (decision.outcome, decision.rule) == ("promoted", "same_graph")
    assert decision.against == f"release {first}"


@pytest.mark.slow
def test_a_model_no_better_than_the_champion_is_rejected(world, run):
    first = sealed(world[1], run, decide(*world, run).decision)
    serve(world[1], first)
    again, _ = evaluated(*world, HEART, families=("gradient_boosting",))
    decision = decide(*world, again)
    assert (decision.outcome, decision.rule) == ("rejected", "champion")
    assert decision.against == f"release {first}"
    assert decision.probability < decision.confidence


@pytest.mark.slow
def test_a_model_that_is_tried_after_others_on_the_same_rows_says_so(world, run):
    first = decide(*world, run)
    assert first.tries == 1
    assert "model number" not in first.reason
    again, _ = evaluated(*world, HEART, families=("gradient_boosting",))
    second = decide(*world, again)
    assert second.tries == 2
    assert "model number 2 that is judged on these very rows against the majority class" in second.reason
    assert decide(*world, again) == second
    serve(world[1], sealed(world[1], run, first.decision))
    assert decide(*world, again).tries == 1, "against another champion it is the first"


def test_models_of_different_splits_are_not_compared(world, run):
    serve(world[1], other_release(world[1], split="another"))
    decision = decide(*world, run)
    assert (decision.outcome, decision.rule) == ("rejected", "other_split")
    assert "start over" in decision.reason


def test_models_of_different_classes_are_not_compared(world, run):
    text = (HEART_FOLDER / "problem.toml").read_text().replace('"0" = "Healthy patient", "1"', '"healthy" = "W", "1"')
    serve(world[1], other_release(world[1], Contract.from_toml(text)))
    decision = decide(*world, run)
    assert decision.outcome == "rejected"
    assert "healthy" in decision.reason
    assert "start over" in decision.reason


def test_a_champion_is_scored_through_its_own_contract(world, run):
    age = HEART.features["age"].model_copy(update={"max": 60.0})
    narrower = HEART.model_copy(update={"features": {**HEART.features, "age": age}})
    serve(world[1], other_release(world[1], narrower))
    decision = decide(*world, run)
    assert decision.rule == "champion"
    assert decision.rows_champion_would_refuse > 0


def test_a_model_that_takes_too_long_is_not_promoted(world):
    slow = HEART.model_copy(update={"gate": HEART.gate.model_copy(update={"max_latency_ms": 1e-6})})
    run, _ = evaluated(*world, slow)
    decision = decide(*world, run)
    assert decision.outcome == "rejected"
    assert "max_latency_ms" in decision.reason


def asking(success, gate="warn"):
    problem = HEART.problem.model_copy(update={"success": success})
    return HEART.model_copy(
        update={"problem": problem, "gate": HEART.gate.model_copy(update={"success": gate})},
    )


@pytest.mark.parametrize(("gate", "outcome"), [("warn", "promoted"), ("bar", "rejected")])
def test_a_missed_success_is_said_and_bars_only_when_the_contract_says_so(world, gate, outcome):
    run, _ = evaluated(*world, asking("roc_auc >= 0.999", gate))
    decision = decide(*world, run)
    assert decision.outcome == outcome
    assert "[problem] success asks for roc_auc >= 0.999, and roc_auc is 0." in decision.reason
    guard = next(guard for guard in decision.guards if guard.name == "success")
    assert (guard.holds, guard.limit) == (False, 0.999)
    assert guard.value == decision.success.value


def test_a_success_that_is_met_takes_no_words(world):
    run, _ = evaluated(*world, asking("roc_auc >= 0.6", "bar"))
    decision = decide(*world, run)
    assert decision.outcome == "promoted"
    assert "success" not in decision.reason
    assert any(guard.name == "success" and guard.holds for guard in decision.guards)


def test_after_the_pointer_was_deleted_it_is_decided_anew(world, run):
    lake, models = world
    serve(models, other_release(models))
    first = decide(lake, models, run)
    models.delete(layout.pointer("heart"))
    serve(models, other_release(models, favour=1))
    second = decide(lake, models, run)
    assert first.revision == second.revision == 1
    assert first.decision != second.decision
    assert first.etag != second.etag


def test_the_state_machine_gets_names_and_small_numbers(world, run):
    assert len(summary(decide(*world, run), 1).model_dump_json()) < 1000
