"""The steps of the watch: what was found in a window is written once, under its key, and told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.contract.tables import Monitor
from andamio.dataset.documents import RefusedField, RefusedRows
from andamio.errors import DataError
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from andamio.step import run_step
from andamio.storage import documents, layout
from monitoring import evidence as evidence_module
from monitoring.evidence import Evidence
from monitoring.feedback import StoredPredictions
from monitoring.report import PAGE, REPORT, LatestReport, Report
from monitoring.steps import STEPS, Watch
from monitoring.window import Window
from rollout.retraining import records
from rollout.retraining.records import LabelledRecords
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.releases import heart
from tests.support.watched import evidence_of, hospital, labelled, model, watched_release

END = datetime(2026, 11, 27, 18, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Figures:
    """`Metrics` in a list."""

    def __init__(self) -> None:
        self.put_values: list[dict[str, float]] = []

    def put(self, values: Mapping[str, float]) -> None:
        self.put_values.append(dict(values))


class World:
    """A lake with a served release, and windows whose evidence the test chooses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, models: MemoryObjects, contract: Contract) -> None:
        self.lake = MemoryObjects("lake")
        self.models = models
        self.contract = contract
        self.figures = Figures()
        self.events = MemoryEvents()
        self.find: Callable[[Window], Evidence] = quiet
        monkeypatch.setattr(evidence_module, "read", lambda lake, contract, window, *_: self.find(window))

    def step(self, name: str, end: datetime = END) -> dict[str, Any]:
        window = Window(end - DAY, end)
        event: dict[str, Any] = {"step": name, "window": window.name}
        if name == "gather":
            event = {"step": name, "event": {"end": window.name}, "started": window.name}
        watch = Watch(
            lake=self.lake,
            models=self.models,
            predictions=StoredPredictions(MemoryPredictionStore(), MemoryObjects("batch")),
            contract=self.contract,
            system="heart",
            metrics=self.figures,
            events=self.events,
            retrainer=ContractRetrainer(self.lake, self.models, self.contract),
            now=end,
        )
        return run_step(STEPS, watch, event)

    def run(self, end: datetime = END, *, draw: bool = False) -> dict[str, Any]:
        for name in ("gather", "compare", "draw") if draw else ("gather", "compare"):
            self.step(name, end)
        verdict = self.step("publish", end)
        if verdict["tell"]:
            self.step("tell", end)
        return verdict

    def sent(self) -> list[tuple[str, str]]:
        return [(event.kind, event.detail.window) for event in self.events.sent]

    def report(self, end: datetime = END) -> Report:
        return documents.read(self.lake, layout.monitoring(end, REPORT), Report)

    def keys(self) -> dict[str, bytes]:
        return {info.key: self.lake.get(info.key).body for info in self.lake.list("")}


def captured() -> LabelledRecords:
    columns = {name: np.array([1.0]) for name, feature in heart().inputs.items() if feature.type != "category"}
    texts = {name: np.array([""], dtype=object) for name in heart().inputs if name not in columns}
    times = np.array(["2026-11-20T10"], dtype="datetime64[ms]")
    return LabelledRecords(["p0"], ["patient 7"], times, [heart().problem.labels["0"].values[0]], columns | texts)


def quiet(window: Window) -> Evidence:
    _, _, train = model()
    rows = np.random.default_rng(5).choice(train, 500)
    return evidence_of(window, hospital(), rows, seen=True)


def hungary(window: Window) -> Evidence:
    found = hospital("heart-hungary")
    return evidence_of(window, found, np.arange(len(found.labels)))


def nothing(window: Window) -> Evidence:
    return evidence_of(window, hospital(), np.arange(0), seen=True)


@pytest.fixture(scope="module")
def released() -> MemoryObjects:
    models = MemoryObjects("models")
    watched_release(models)
    return models


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, released: MemoryObjects) -> World:
    # The problem's own settings are the demo's, which has one window.
    return World(monkeypatch, released, heart().model_copy(update={"monitor": Monitor()}))


def test_records_like_those_of_training_are_quiet(world: World) -> None:
    verdict = world.run()
    assert (verdict["status"], verdict["alarms"], verdict["tell"]) == ("quiet", [], False)
    assert verdict["message"].startswith("All quiet.")
    latest = documents.read(world.lake, layout.LATEST_REPORT, LatestReport)
    assert (latest.window, latest.report) == ("2026-11-27T18:00:00Z", "monitoring/dt=2026-11-27/180000/report.json")
    (values,) = world.figures.put_values
    assert values["RowsCompared"] == 500
    assert values["DriftPersistent"] == values["DriftedFeatures"] == 0


def test_another_hospital_is_an_alarm_that_names_what_moved_most_first(world: World) -> None:
    world.find = hungary
    verdict = world.run(draw=True)
    assert (verdict["status"], verdict["alarms"], verdict["tell"]) == ("alarm", ["drift"], True)
    assert verdict["moved"][:3] == ["ca", "thal", "slope"]
    assert verdict["findings"][0] == "ca: 99.0% of its values are missing (before: 0.8%)."
    report = world.report()
    assert all(finding.advice and finding.certainty for finding in report.findings)
    assert [trend.feature for trend in report.trends][:3] == ["ca", "thal", "slope"]
    assert all(point.missing > 0.9 for point in report.trends[0].points)
    page = world.lake.get(report.page).body.decode()
    assert "99.0% of its values are missing" in page
    assert "What to do:" in page
    assert 'name="viewport"' in page


def test_drift_persists_in_windows_that_share_no_prediction(world: World) -> None:
    world.find = hungary
    assert world.run(END - DAY)["persistent"] is False
    assert world.run(END - HOUR)["persistent"] is False, "it shares 23 hours with the one before"
    verdict = world.run(END)
    assert verdict["persistent"] is True
    report = world.report()
    assert report.persistence.with_drift == ["2026-11-27T18:00:00Z", "2026-11-26T18:00:00Z"]
    assert report.since["drift"] == "2026-11-26T18:00:00Z", "since the first of the windows without a break"
    assert report.features_since["ca"] == "2026-11-26T18:00:00Z"
    assert [values["DriftPersistent"] for values in world.figures.put_values] == [0, 0, 1]


def test_an_alarm_is_news_once(world: World) -> None:
    world.find = hungary
    assert world.run(END - HOUR)["tell"] is True
    assert world.run(END)["tell"] is False
    world.find = quiet
    assert world.run(END + HOUR)["alarms"] == []
    world.find = hungary
    assert world.run(END + 2 * HOUR)["tell"] is True


@pytest.mark.parametrize("dies", ["publish", "tell"])
def test_what_an_execution_died_before_telling_is_told_by_the_next_window(world: World, dies: str) -> None:
    world.find = hungary
    for name in ("gather", "compare", "publish")[: 2 if dies == "publish" else 3]:
        world.step(name, END)
    assert world.sent() == []
    assert world.run(END + HOUR)["tell"] is True
    assert world.run(END + 2 * HOUR)["tell"] is False
    assert world.sent() == [("Drift seen", "2026-11-27T19:00:00Z")]


def test_a_window_that_could_not_decide_makes_no_alarm_news_again(world: World) -> None:
    for hours, find in enumerate((hungary, nothing, hungary)):
        world.find = find
        world.run(END + hours * HOUR)
    assert world.sent() == [("Drift seen", "2026-11-27T18:00:00Z")]


def test_what_is_told_has_the_same_id_each_time_and_is_told_once(world: World) -> None:
    world.find = hungary
    for name in ("gather", "compare", "publish"):
        world.step(name)
    before = world.lake.get(layout.LATEST_REPORT).body
    assert world.step("tell") == {"sent": ["Drift seen"]}
    assert world.step("tell") == {"sent": []}
    assert world.step("publish")["tell"] is False
    world.lake.put(layout.LATEST_REPORT, before)  # it died between the event and the note of it
    assert world.step("tell") == {"sent": ["Drift seen"]}
    first, second = world.events.sent
    assert first == second
    assert first.detail.window == "2026-11-27T18:00:00Z"
    assert first.detail.report == world.step("publish")["report"]


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_an_execution_that_is_cut_off_and_started_again_ends_with_the_same_files(world: World, done: int) -> None:
    world.find = hungary
    for name in ("gather", "compare", "draw", "publish")[:done]:
        world.step(name)
    kept = world.keys()
    world.find = quiet  # what came late does not change what was written
    first = world.run(draw=True)
    ended = world.keys()
    changed = {key for key, body in kept.items() if ended[key] != body}
    assert changed <= {layout.LATEST_REPORT}, "it has what was told since"
    assert world.run(draw=True) == first | {"tell": False}
    assert world.keys() == ended
    assert len(world.sent()) == (0 if done == 1 else 1), "what came late was quiet"


def test_an_older_window_neither_replaces_the_latest_report_nor_puts_metrics(world: World) -> None:
    world.run(END)
    verdict = world.run(END - DAY)
    assert verdict["latest"] is False
    assert len(world.figures.put_values) == 1
    assert documents.read(world.lake, layout.LATEST_REPORT, LatestReport).window == "2026-11-27T18:00:00Z"


def test_without_a_champion_there_is_nothing_to_watch(world: World) -> None:
    world.models = MemoryObjects("models")
    gathered = world.step("gather")
    assert gathered["status"] == "no-model"
    assert "andamio ingest" in gathered["message"]
    assert world.keys() == {}


def test_a_window_without_predictions_is_not_enough_data(world: World) -> None:
    world.find = nothing
    verdict = world.run()
    assert verdict["status"] == "not-enough-data"
    assert verdict["message"].startswith("The window has 0 rows; 200 are needed")
    assert world.figures.put_values == [{"RejectRate": 0, "OrphanFeedback": 0, "RowsCompared": 0}]


def test_an_alarm_keeps_its_state_through_a_window_that_could_not_decide(world: World) -> None:
    """CloudWatch keeps the state while no figure comes: a night without traffic must not say that all is well."""
    world.contract = heart().model_copy(update={"monitor": Monitor(windows=1, persistence=1)})
    world.find = hungary
    world.run(END - HOUR)
    assert world.figures.put_values[-1]["DriftPersistent"] == 1
    world.find = lambda window: replace(nothing(window), rejected=294, rejections={("chol", "below-minimum"): 250})
    world.run(END)
    assert world.figures.put_values[-1]["RejectAlarm"] == 1, "refused records are enough for this one"
    assert not {"DriftPersistent", "DriftedFeatures"} & set(world.figures.put_values[-1])
    world.find = quiet
    world.run(END + HOUR)
    assert world.figures.put_values[-1]["DriftPersistent"] == world.figures.put_values[-1]["RejectAlarm"] == 0
    assert not {"PerformanceWorse", "LabelCoverageUneven"} & set(world.figures.put_values[-1]), "no label has come"


def test_refused_records_ring_their_own_alarm_and_not_that_of_drift(world: World) -> None:
    world.find = lambda window: replace(quiet(window), rejected=500, rejections={("chol", "below-minimum"): 500})
    for days in (2, 1, 0):
        verdict = world.run(END - days * DAY)
    assert (verdict["alarms"], verdict["persistent"]) == (["rejects"], False)
    assert world.report().persistence.with_drift == []
    assert {key: world.figures.put_values[-1][key] for key in ("DriftPersistent", "RejectAlarm")} == {
        "DriftPersistent": 0, "RejectAlarm": 1
    }  # fmt: skip


def test_hours_without_captures_are_said_and_are_not_quiet(world: World) -> None:
    world.find = lambda window: replace(quiet(window), silent_since=window.end - 3 * HOUR, capture_lag=3.0)
    verdict = world.run()
    assert (verdict["status"], verdict["alarms"]) == ("not-enough-data", [])
    assert verdict["message"].startswith("Nothing was captured since 2026-11-27T15:00:00Z.")
    (finding,) = world.report().findings
    assert (finding.kind, finding.alarm) == ("capture", False)
    world.find = lambda window: replace(quiet(window), silent_since=window.end - 2 * HOUR)
    assert world.run(END + HOUR)["status"] == "quiet"


def test_a_release_that_served_without_a_capture_is_said_and_not_where_none_is_wanted(world: World) -> None:
    models = MemoryObjects("models")
    version = watched_release(models)
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(version, "2026-11-27T12:00:00+00:00", "run-2")), etag)
    world.models = models
    world.find = lambda window: replace(nothing(window), silent_since=window.start)
    assert world.run()["findings"] == ["Nothing was captured since 2026-11-27T12:00:00Z."]
    assert world.run(END - 4 * HOUR)["findings"] == [], "it serves for two hours"
    monitor = world.contract.monitor.model_copy(update={"capture": "none"})
    world.contract = world.contract.model_copy(update={"monitor": monitor})
    assert world.run(END + HOUR)["findings"] == []
    assert any('[monitor] capture is "none"' in note for note in world.report(END + HOUR).notes)
    assert not any("capture" in note for note in world.report(END).notes)


def test_a_champion_that_came_in_the_middle_of_the_window_is_said(world: World, released: MemoryObjects) -> None:
    models = MemoryObjects("models")
    version = watched_release(models)
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(version, "2026-11-27T12:00:00+00:00", "run-2")), etag)
    world.models = models
    world.run()
    assert any("served since 2026-11-27T12:00:00" in note for note in world.report().notes)


def test_the_champion_is_fixed_with_the_window(world: World) -> None:
    world.step("gather")
    world.models = MemoryObjects("models")
    assert world.step("gather")["status"] == "ready"


def test_a_release_without_a_reference_is_a_note_and_no_fault(world: World) -> None:
    models = MemoryObjects("models")
    version = watched_release(models)
    manifest = json.loads(models.get(layout.release(version, "manifest.json")).body)
    del manifest["files"]["out_of_fold.json"]
    body = json.dumps(manifest, indent=1, sort_keys=True).encode()
    older = documents.digest(body)[:16]
    for info in list(models.list(layout.release(version))):
        models.put(layout.release(older, info.key.rsplit("/", 1)[1]), models.get(info.key).body)
    models.put(layout.release(older, "manifest.json"), body)
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(older, "2026-01-01T00:00:00+00:00", "run-0")), etag)
    world.models = models
    verdict = world.run()
    assert verdict["status"] == "not-enough-data"
    report = world.report()
    assert (report.data, report.performance) == (None, None)
    assert "has no out_of_fold.json" in report.notes[0]


def test_records_that_are_refused_alarm_and_a_fault_that_stays_does_not_become_usual(world: World) -> None:
    def refusing(window: Window) -> Evidence:
        return replace(nothing(window), rejected=294, rejections={("chol", "below-minimum"): 250})

    world.find = refusing
    for days in (2, 1, 0):
        verdict = world.run(END - days * DAY)
        assert verdict["alarms"] == ["rejects"]
        assert "chol (below-minimum" in verdict["findings"][0]
    assert world.figures.put_values[-1]["RejectAlarm"] == 1
    assert world.figures.put_values[-1]["RejectRate"] == 1


@pytest.mark.parametrize(("validated", "alarms"), [(None, ["rejects"]), (1000, [])])
def test_in_a_canary_the_refused_are_a_share_of_all_records_not_of_the_champion_s(
    world: World, validated: int | None, alarms: list[str]
) -> None:
    """The champion answers 500 records; whoever answers the others, its contract refuses."""
    refused = {("chol", "below-minimum"): 40}
    world.find = lambda window: replace(quiet(window), validated=validated, rejected=40, rejections=refused)
    assert world.run()["alarms"] == alarms
    share = 40 / ((validated or 500) + 40)
    assert world.figures.put_values[-1]["RejectRate"] == pytest.approx(share)


def test_how_the_service_did_is_in_the_report_and_on_its_page(world: World) -> None:
    failures = {"no-model": 3, "release-refused": 2}
    world.find = lambda window: replace(quiet(window), failures=failures, durations={"0": 98, "24": 2})
    assert world.run(draw=True)["status"] == "quiet"
    traffic = world.report().traffic
    assert (traffic.failed, traffic.releases_refused) == ({"no-model": 3}, 2)
    assert (traffic.median_ms, traffic.p99_ms) == (1.1, pytest.approx(1.1**25, abs=0.001))
    drawn = world.lake.get(layout.monitoring(END, PAGE)).body.decode()
    for part in ("no-model 3.", "could not load a release, 2 times", "1.1 ms in the function"):
        assert part in drawn


@pytest.mark.parametrize(("rows", "rings"), [(0, True), (80, False)])
def test_what_the_data_trained_on_had_refused_is_usual_from_the_first_day_on(
    monkeypatch: pytest.MonkeyPatch, rows: int, rings: bool
) -> None:
    models = MemoryObjects("models")
    reasons = [RefusedField(column="chol", code="below-minimum", rows=rows)] if rows else []
    watched_release(models, refused=RefusedRows(rows=1000, refused=rows, reasons=reasons))
    world = World(monkeypatch, models, heart().model_copy(update={"monitor": Monitor()}))
    world.find = lambda window: replace(quiet(window), rejected=45, rejections={("chol", "below-minimum"): 45})
    for days in (1, 0):
        assert world.run(END - days * DAY)["alarms"] == (["rejects"] if rings else [])
    data = world.report().data
    assert data is not None
    assert data.rejects.reference == rows / 1000


def test_a_share_of_refused_records_that_grows_slowly_does_not_become_usual(world: World) -> None:
    """Four points a day are below the limit of five each day, and eighty points after twenty days."""
    alarms = []
    for day in range(4):
        refused = 25 + 25 * day
        world.find = lambda window, rows=refused: replace(
            quiet(window), rejected=rows, rejections={("chol", "below-minimum"): rows}
        )
        alarms.append(world.run(END + day * DAY)["alarms"])
    assert alarms == [[], [], ["rejects"], ["rejects"]]
    assert world.report(END + 3 * DAY).findings[0].kind == "rejects"


def test_flipped_labels_are_concept_drift_and_labels_for_positives_only_are_uneven_coverage(world: World) -> None:
    def told(window: Window, labels: Any, known: Any = None) -> Evidence:
        found = quiet(window)
        truth = labels(found)
        if known is not None:
            truth = np.where(known(found), truth, -1)
        return replace(found, labelled=labelled(found, truth))

    def honest(found: Evidence) -> Any:
        random = np.random.default_rng(9)
        return (random.random(len(found.labels)) < found.probabilities[:, 1]).astype(np.int64)

    world.find = lambda window: told(window, honest)
    assert world.run(END - 2 * DAY)["alarms"] == []
    world.find = lambda window: told(window, lambda found: 1 - honest(found))
    verdict = world.run(END - DAY)
    assert verdict["alarms"] == ["performance"]
    assert verdict["findings"][0].startswith("The model has become worse: roc_auc")
    assert world.figures.put_values[-1]["PerformanceWorse"] == 1
    world.find = lambda window: told(window, honest, lambda found: found.labels == 1)
    assert world.run(END)["alarms"] == ["coverage"]


def test_labels_that_come_too_late_are_a_note(world: World) -> None:
    world.find = lambda window: replace(quiet(window), late=1200)
    assert world.run()["alarms"] == []
    report = world.report()
    assert report.labels.elsewhere == 1200
    assert any(note.startswith("1,200 labels came for predictions before the hours") for note in report.notes)


def test_steps_that_come_too_early_say_which_is_first(world: World) -> None:
    with pytest.raises(DataError, match="the step 'gather' has to run first"):
        world.step("compare")
    world.step("gather")
    with pytest.raises(DataError, match="the step 'compare' has to run first"):
        world.step("draw")


def test_the_contract_of_the_deployment_says_when_it_is_drift(world: World) -> None:
    world.find = hungary
    world.contract = heart().model_copy(update={"monitor": Monitor(windows=1, persistence=1, drift_psi=1.5)})
    verdict = world.run()
    assert verdict["persistent"] is True
    assert world.report().data is not None
    assert world.report().data.psi_limit == 1.5  # type: ignore[union-attr]
    assert verdict["page"] is None, "nothing drew it"


def test_captured_records_go_once_a_feature_of_theirs_is_private(world: World) -> None:
    """Whether the watch may start trainings or not: nobody would write the file again."""
    records.keep(world.lake, heart(), captured())
    world.step("gather")
    assert rows_of(world.lake) == 1
    world.contract = heart().hiding(["age"])
    world.step("gather")
    assert rows_of(world.lake) == 0
    assert b"patient 7" not in world.lake.get(layout.CAPTURED_RECORDS).body
    etag = world.lake.head(layout.CAPTURED_RECORDS).etag
    world.step("gather")
    assert world.lake.head(layout.CAPTURED_RECORDS).etag == etag


def test_where_nothing_was_captured_a_private_feature_makes_no_file(world: World) -> None:
    world.contract = heart().hiding(["age"])
    world.step("gather")
    assert not list(world.lake.list(layout.CAPTURED))


def rows_of(lake: MemoryObjects) -> int:
    """How many records the file of captured ones has."""
    found: int = pq.read_table(io.BytesIO(lake.get(layout.CAPTURED_RECORDS).body)).num_rows
    return found
