"""A trial that would not fit into its function gets the rows that do, says so, and is fitted on the same in the end."""

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from tests.support.datasets import FRUIT_FOLDER, HEART_FOLDER, fruit_cells, publish
from training.documents import TRIAL, ScoredTrial, TrialSpec
from training.families.spaces import PLAIN
from training.fit import try_exports
from training.npy import from_npy
from training.plan import plan
from training.rows import TrainingRows
from training.run import Run, scores_file, trial_file
from training.search import rounds
from training.trials import estimate, folds, sample
from training.trials.estimate import Cost, Limits, rows_that_fit
from training.trials.trial import load_places, load_train, trial, within

LINEAR = Cost(rows=(1_000, 4_000), seconds=(1.0, 4.0), held=(10 * 2**20, 40 * 2**20))
"""A second and 10 MB a thousand rows."""


def test_what_fits_is_given_every_row():
    assert rows_that_fit(100_000, 5, LINEAR, Limits(900, 3_008), 0) is None


def test_time_grows_with_the_rows_from_a_line_to_a_power_of_one_and_a_half():
    assert LINEAR.power == pytest.approx(1.0)
    assert Cost((1_000, 4_000), (1.0, 2.0), (0, 0)).power == 1.0, "what does not depend on rows is no reason for hope"
    assert Cost((1_000, 4_000), (1.0, 5.0), (0, 0)).power == pytest.approx(1.161, abs=1e-3)
    assert Cost((1_000, 4_000), (1.0, 16.0), (0, 0)).power == estimate.STEEPEST
    quadratic = Cost((1_000, 4_000), (1.0, 16.0), (0, 0), estimate.STEEPEST_OF_KERNELS)
    assert quadratic.seconds_of(8_000) == pytest.approx(64.0)


def test_a_trial_that_takes_too_long_gets_the_rows_of_its_time():
    rows, why = rows_that_fit(400_000, 5, LINEAR, Limits(900, 100_000), 0)
    assert rows == pytest.approx(0.8 * 900 / 5 * 1_000, rel=1e-6)
    assert why == "all rows would take about 2,000 s, and its function has 900 s"


def test_a_trial_that_needs_too_much_memory_gets_the_rows_of_its_room():
    rows, why = rows_that_fit(400_000, 1, LINEAR, Limits(90_000, 3_008), resident=406 * 2**20)
    assert rows == pytest.approx((0.8 * 3_008 - 406) * 100, abs=10)
    assert why == "all rows would take about 4,406 MB, and its function has 3,008 MB"


def test_where_nothing_fits_it_gets_what_was_tried():
    assert rows_that_fit(400_000, 5, LINEAR, Limits(1, 100), resident=200 * 2**20)[0] == 1_000


def test_a_row_is_measured_by_what_two_samples_hold():
    places = (np.random.default_rng(7).permutation(100_000) / 100_000).astype(np.float32)
    labels = np.arange(100_000) % 2
    cost = estimate.measure(lambda rows: np.ones((len(rows), 100)).copy(), places, labels)
    assert cost.rows == (1_000, 4_000)
    assert cost.bytes_a_row == pytest.approx(1_600, rel=0.05), "two arrays of a hundred numbers of eight bytes"


def rare(positives=200, rows=100_000, columns=10):
    """A table with few positives: what `within` is asked about it, and the places of its rows."""
    rng = np.random.default_rng(7)
    labels = np.zeros(rows, dtype=np.int64)
    labels[:positives] = 1
    numbers = rng.normal(size=(rows, columns)).astype(np.float32)
    keys = [str(row) for row in range(rows)]
    assigned = folds.repeated(labels, keys, ["0", "1"], 7, 1)
    places = sample.places(labels, keys, assigned, rng)
    train = TrainingRows(Encoded(numbers, np.empty((rows, 0), dtype=object)), labels, tuple(keys), {})
    return train, assigned, places


def test_a_rare_class_is_in_the_samples_and_among_the_rows_that_fit():
    train, assigned, places = rare()
    assert not train.labels[sample.of(places, 1_000)].any(), "a sample of a hundredth has none of it"
    spec = TrialSpec(id=PLAIN, family=PLAIN, params={}, simplicity=0, round=1)
    every = np.ones(len(places), dtype=bool)
    asked = (Contract.load(HEART_FOLDER), train, spec, 7, 5, places, every)
    assert within(Limits(90_000, 1_000_000), *asked) is None
    rows, why = within(Limits(1e-6, 1_000_000), *asked)
    assert rows == pytest.approx(1_000 + sample.FEWEST_OF_CLASS, abs=10)
    assert why.endswith("and its function has 0 s")
    kept = sample.with_each_class(places, rows, train.labels)
    for fold in range(5):
        assert train.labels[kept & (assigned[0] == fold)].sum() >= sample.FEWEST_OF_CLASS / 5 - 1


def test_a_sample_of_all_rows_of_a_class_is_no_larger_than_the_class():
    train, _, places = rare(positives=30, rows=5_000)
    assert train.labels[sample.with_each_class(places, 50, train.labels)].sum() == 30


@pytest.mark.parametrize(("rows", "classes"), [(100, 2), (2_000, 10), (1_000, 2)])
def test_the_larger_sample_is_twice_the_smaller_one_or_nothing_is_estimated(rows, classes):
    rng = np.random.default_rng(7)
    places = (rng.permutation(rows) / rows).astype(np.float32)
    cost = estimate.measure(lambda taken: taken.sum(), places, rng.permutation(rows) % classes)
    if rows == 100:
        assert cost is None
    else:
        assert 2 * cost.rows[0] <= cost.rows[1] <= rows


def a_run(monkeypatch, sampled_from=100):
    monkeypatch.setattr(sample, "SAMPLED_FROM", sampled_from)
    monkeypatch.setattr(estimate, "CELLS", 100)
    monkeypatch.setattr(sample, "FEWEST_OF_CLASS", 6)
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    fruit = Contract.load(FRUIT_FOLDER)
    publish(lake, fruit, fruit_cells())
    run = Run(plan(lake, models, fruit, families=[PLAIN], trials=1).run, models)
    rounds.ask(models, run.id, after=0)
    return lake, models, run


@pytest.mark.parametrize("error", [ValueError("every feature is constant"), TrainingError("one class")])
def test_a_sample_that_cannot_be_fitted_is_no_reason_to_fail(monkeypatch, error):
    lake, models, run = a_run(monkeypatch)

    def fails(*_):
        raise error

    monkeypatch.setattr(estimate, "measure", fails)
    written = trial(lake, models, run.id, PLAIN, limits=Limits(1e-6, 100_000))
    assert isinstance(written, ScoredTrial)
    assert (written.rows, written.limited) == (None, None)


def test_a_small_table_of_many_cells_is_estimated_too(monkeypatch):
    lake, models, run = a_run(monkeypatch, sampled_from=1_000_000)
    written = trial(lake, models, run.id, PLAIN, limits=Limits(1e-6, 100_000))
    assert written.limited
    assert written.rows < run.plan().rows / 2


def test_a_trial_within_a_smaller_function_is_fitted_on_fewer_rows_and_scores_all(monkeypatch):
    lake, models, run = a_run(monkeypatch)
    written = trial(lake, models, run.id, PLAIN, limits=Limits(1e-6, 100_000))
    assert isinstance(written, ScoredTrial)
    assert written == run.find(trial_file(PLAIN), TRIAL)
    every = run.plan().rows
    assert 18 <= written.rows < every / 2
    assert "and its function has 0 s" in written.limited
    assert np.isfinite(from_npy(run.read(scores_file(PLAIN), written.scores, "trial"))).all()
    assert sum(written.fold_rows) == 2 * every, "of both repeats"

    contract, train = load_train(lake, run, run.plan().dataset)
    fitted_on = []

    def exporter(fitted):
        fitted_on.append(fitted.pipeline.named_steps["columns"].named_transformers_["numbers"].named_steps["scale"])
        raise ValueError("it is not exported")

    try_exports(
        contract, train, [written], lambda _: np.ones((every, 3)) / 3, 7, exporter, None, load_places(run, run.plan())
    )
    given = sample.with_each_class(load_places(run, run.plan()), written.rows, train.labels)
    assert written.rows <= fitted_on[0].n_samples_seen_ == given.sum() < every
