"""After the decision: a release that is sealed once, a pointer that moves only as decided, aliases that follow it."""

from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.contract import Contract
from andamio.contract.tables import ReleaseTable
from andamio.errors import EventNotSent, PreconditionFailed, TrainingError, UsageError
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.history import read_history
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from andamio.release.release import CARD, CARD_PAGE, FILES, IMPORTANCE, Release, seal
from andamio.storage import layout
from andamio.testing.tracker import MemoryTracker
from registry.card import making
from registry.documents import AliasResult
from registry.follow import follow
from registry.news import News
from registry.record import Origin
from registry.register import ATTEMPTS, promote, register
from rollout.promote import promote as by_hand
from rollout.rollback import roll_back
from tests.support.datasets import HEART_FOLDER, SPLIT, heart_cells, publish
from tests.support.releases import linear_onnx, release_files
from tests.support.runs import copied, evaluated, planned
from training.evaluate.decide import decide
from training.fit import fit
from training.run import promotion_file

HEART = Contract.load(HEART_FOLDER)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ALL = {*FILES, IMPORTANCE, CARD, CARD_PAGE}
RECORD = {"age": 67, "sex": 1, "cp": 4}
ORIGIN = Origin("s3://lake/datasets/", lock="10c" * 21 + "1")
CANARY = ReleaseTable(strategy="canary")
NEWS = News(MemoryEvents(), "heart")


@pytest.fixture(scope="module")
def evaluated_once():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    run, _ = evaluated(lake, models, HEART)
    return lake, models, run


@pytest.fixture
def lake(evaluated_once):
    return evaluated_once[0]


@pytest.fixture
def models(evaluated_once):
    return copied(evaluated_once[1])


@pytest.fixture
def run(evaluated_once):
    return evaluated_once[2]


@pytest.fixture
def tracker():
    return MemoryTracker()


def registered(lake, models, run, tracker):
    decision = decide(lake, models, run).decision
    return decision, register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW)


def somebody_else(models, contract=HEART):
    info = {"problem": "heart", "run": "another", "dataset": "old", "split": SPLIT, "threshold": 0.5}
    version = seal(models, release_files(contract, linear_onnx(contract)), info)
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(version, NOW.isoformat(), "another")), etag)
    return version


def test_a_release_is_complete_and_says_where_it_comes_from(lake, models, tracker, run):
    _, result = registered(lake, models, run, tracker)
    release = Release.open(models, result.release)
    assert set(release.files) == ALL
    assert all(release.read(name) for name in ALL)
    assert release.info["run"] == run
    assert {"problem", "dataset", "split", "threshold"} <= set(release.info)
    assert release.json("decision.json")["outcome"] == "promoted"
    assert release.model().predict(encode(release.contract(), parse_records(release.contract(), [RECORD]))).shape == (
        1,
        2,
    )


def test_the_card_of_a_release_is_the_first_that_was_made_of_its_decision(lake, models, tracker, run, monkeypatch):
    decision, result = registered(lake, models, run, tracker)
    first = Release.open(models, result.release).find(CARD)
    models.delete(layout.run(run, f"registered/{decision}.json"))
    monkeypatch.setattr(making, "limits", lambda facts: None)  # as if the card's code had changed meanwhile
    again = register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW)
    assert again.release == result.release
    assert Release.open(models, again.release).find(CARD) == first
    assert tracker.records[-1].card.markdown.encode() == first


def test_nothing_is_served_before_it_is_promoted(lake, models, tracker, run):
    registered(lake, models, run, tracker)
    assert read_pointer(models, "heart")[0].champion is None
    assert tracker.aliases == {}


def test_a_promotion_moves_pointer_and_alias(lake, models, tracker, run):
    decision, result = registered(lake, models, run, tracker)
    promoted = promote(models, run, decision, tracker, NEWS, NOW)
    champion = read_pointer(models, "heart")[0].champion
    assert (champion.release, champion.run, champion.since) == (result.release, run, "2026-03-31T12:00:00+00:00")
    assert promoted.status == "promoted"
    assert promoted.release == result.release
    assert tracker.aliases == {"champion": "1"}


def test_a_model_is_tried_beside_a_champion(lake, models, tracker, run):
    theirs = somebody_else(models)
    decision, result = registered(lake, models, run, tracker)
    assert promote(models, run, decision, tracker, NEWS, NOW, rules=CANARY).status == "challenged"
    pointer = read_pointer(models, "heart")[0]
    assert (pointer.champion.release, pointer.challenger.release) == (theirs, result.release)


@pytest.mark.parametrize("when", ["before the decision", "after it"])
def test_beside_a_champion_that_is_damaged_a_model_is_not_tried_but_promoted(lake, models, tracker, run, when):
    theirs = somebody_else(models)
    if when == "before the decision":
        models.put(layout.release(theirs, "model.onnx"), b"damaged")
    decision, result = registered(lake, models, run, tracker)
    models.put(layout.release(theirs, "model.onnx"), b"damaged")
    assert promote(models, run, decision, tracker, NEWS, NOW, rules=CANARY).status == "promoted"
    pointer = read_pointer(models, "heart")[0]
    assert (pointer.champion.release, pointer.challenger) == (result.release, None)


def test_beside_a_champion_of_another_prepare_a_model_is_not_tried_but_promoted(lake, models, tracker, run):
    """A deploy with another prepare.py took the champion out of service: a challenger alone answers nobody."""
    data = HEART.model_dump(mode="json", exclude_defaults=True)
    data["prepare"] = "0" * 64
    data["features"]["oldpeak_squared"] = {"type": "number", "derived": True}
    prepares = type(HEART).model_validate(data)
    assert prepares.prepares
    somebody_else(models, prepares)
    decision, result = registered(lake, models, run, tracker)
    assert promote(models, run, decision, tracker, NEWS, NOW, rules=CANARY).status == "promoted"
    assert read_pointer(models, "heart")[0].champion.release == result.release


def test_registering_again_changes_nothing(lake, models, tracker, run):
    decision, result = registered(lake, models, run, tracker)
    writes = list(models.writes)
    assert register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW) == result
    assert models.writes == writes
    assert len(tracker.records) == 1


def test_a_registration_that_was_cut_off_ends_in_the_same_release(lake, models, tracker, run):
    decision, result = registered(lake, models, run, tracker)
    models.delete(layout.run(run, f"registered/{decision}.json"))
    assert register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW) == result
    assert len(list(models.list("releases/"))) == len(ALL) + 1


def test_promoting_again_changes_nothing(lake, models, tracker, run):
    decision, _ = registered(lake, models, run, tracker)
    first = promote(models, run, decision, tracker, NEWS, NOW)
    pointer = read_pointer(models, "heart")
    assert promote(models, run, decision, tracker, NEWS, NOW) == first
    assert read_pointer(models, "heart") == pointer


def test_a_swap_whose_answer_was_lost_counts_as_done(lake, models, tracker, run):
    class AnswerLost(MemoryObjects):
        def put_new(self, key, body, **said):
            written = super().put_new(key, body, **said)
            return False if key == layout.pointer("heart") else written

    models = copied(models, AnswerLost("models"))
    decision, result = registered(lake, models, run, tracker)
    assert promote(models, run, decision, tracker, NEWS, NOW).status == "promoted"
    assert read_pointer(models, "heart")[0].champion.release == result.release
    assert [info.key for info in models.list(layout.DECISIONS)] != [], "and it is recorded"


def test_a_promotion_that_died_before_its_record_is_recorded_by_the_same_step(lake, models, tracker, run):
    class Killed(Exception):
        pass

    class Dies(MemoryObjects):
        def put_new(self, key, body, **said):
            if key.startswith(layout.DECISIONS) and read_pointer(self, "heart")[0].champion and not self.died:
                self.died = True
                raise Killed
            return super().put_new(key, body, **said)

        died = False

    models = copied(models, Dies("models"))
    decision, _ = registered(lake, models, run, tracker)
    with pytest.raises(Killed):
        promote(models, run, decision, tracker, NEWS, NOW)
    assert list(models.list(layout.DECISIONS)) == []
    assert promote(models, run, decision, tracker, NEWS, NOW).status == "promoted"
    (record,) = models.list(layout.DECISIONS)
    assert record.key.startswith(f"{layout.DECISIONS}promoted-000001-")


def test_somebody_else_s_promotion_in_between_is_a_conflict_that_is_decided_again(lake, models, tracker, run):
    decision, _ = registered(lake, models, run, tracker)
    theirs = somebody_else(models)
    assert promote(models, run, decision, tracker, NEWS, NOW, attempt=1).status == "conflict"
    assert read_pointer(models, "heart")[0].champion.release == theirs
    again = decide(lake, models, run)
    assert again.against == f"release {theirs}"
    second = register(lake, models, run, again.decision, ORIGIN, tracker, NEWS, NOW)
    assert promote(models, run, again.decision, tracker, NEWS, NOW, attempt=2).status == "promoted"
    pointer = read_pointer(models, "heart")[0]
    assert (pointer.champion.release, pointer.previous.release) == (second.release, theirs)
    assert tracker.versions == {run: "1"}


def test_a_race_at_the_last_moment_is_a_conflict_too(lake, models, tracker, run):
    class Raced(MemoryObjects):
        def put(self, key, body, **said):
            if key == layout.pointer("heart") and said.get("if_match"):
                raise PreconditionFailed("somebody was faster")
            return super().put(key, body, **said)

    models = copied(models, Raced("models"))
    somebody_else(models)
    decision, _ = registered(lake, models, run, tracker)
    assert promote(models, run, decision, tracker, NEWS, NOW).status == "conflict"
    assert "champion" not in tracker.aliases


def test_after_the_third_conflict_the_model_is_rejected(lake, models, tracker, run):
    decision, _ = registered(lake, models, run, tracker)
    somebody_else(models)
    result = promote(models, run, decision, tracker, NEWS, NOW, attempt=ATTEMPTS)
    assert result.status == "rejected"
    assert "Another model was promoted during this run, 3 times" in result.reason
    assert tracker.aliases == {"challenger": "1"}
    assert set(tracker.outcomes.values()) == {"rejected"}
    (record,) = read_history(models, "heart")
    assert (record.kind, record.revision, record.reason) == ("rejected", None, result.reason)


def test_the_alias_follows_a_promotion_by_hand(lake, models, tracker, run):
    assert follow(models, "heart", tracker).mlflow_version is None, "nothing serves"
    _, result = registered(lake, models, run, tracker)
    other = somebody_else(models)
    assert follow(models, "heart", tracker) == AliasResult(release=other, mlflow_version=None, repaired=False)
    assert tracker.aliases == {}, "MLflow does not know that release"
    tracker.point("challenger", result.mlflow_version)
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(result.release, NOW.isoformat(), run)), etag)
    for repaired in (True, False):
        assert follow(models, "heart", tracker) == AliasResult(
            release=result.release, mlflow_version="1", repaired=repaired
        )
        assert tracker.aliases == {"champion": "1"}
    somebody_else(models)
    assert follow(models, "heart", tracker).repaired
    assert tracker.aliases == {}, "a model that does not serve has lost the alias"


def test_a_promotion_is_in_the_history_with_the_figures_it_stands_on(lake, models, tracker, run):
    decision, result = registered(lake, models, run, tracker)
    assert read_history(models, "heart") == []
    promote(models, run, decision, tracker, NEWS, NOW)
    promote(models, run, decision, tracker, NEWS, NOW + timedelta(hours=1))
    (record,) = read_history(models, "heart")
    assert (record.kind, record.release, record.before, record.by) == ("promoted", result.release, None, "the gate")
    assert (record.decision, record.run, record.revision, record.at) == (decision, run, 1, NOW.isoformat())
    assert record.numbers["roc_auc"] == pytest.approx(result.value)
    assert record.reason == result.reason


def test_a_rollback_in_the_middle_of_a_promotion_has_the_last_word_in_mlflow(lake, models, tracker, run):
    """The rollback's own `follow` runs before promotion sets the alias: promotion looks at the pointer once more."""
    theirs = somebody_else(models)
    decision, result = registered(lake, models, run, tracker)
    tracker.releases[theirs] = "77"

    class RolledBack(MemoryTracker):
        def conclude(self, run_id, version, outcome):
            super().conclude(run_id, version, outcome)
            roll_back(models, "heart", NOW, by="ada", reason="it is wrong")
            follow(models, "heart", self)

    raced = RolledBack()
    vars(raced).update(vars(tracker))
    promote(models, run, decision, raced, NEWS, NOW)
    assert read_pointer(models, "heart")[0].champion.release == theirs
    assert raced.aliases == {"champion": "77"}
    assert raced.verdicts[result.mlflow_version] == "withdrawn"


def test_a_model_that_was_rolled_back_is_not_promoted_again_until_somebody_forces_it(lake, models, tracker, run):
    theirs = somebody_else(models)
    decision, result = registered(lake, models, run, tracker)
    promote(models, run, decision, tracker, NEWS, NOW)
    roll_back(models, "heart", NOW, by="ada", reason="it is wrong")
    assert promote(models, run, decision, tracker, NEWS, NOW, attempt=1).status == "conflict"
    again = decide(lake, models, run)
    assert (again.outcome, again.rule) == ("rejected", "withdrawn")
    assert f"andamio promote {result.release} --force" in again.reason
    assert "it is wrong" in again.reason
    with pytest.raises(UsageError, match=r"was withdrawn at .*--force"):
        by_hand(models, "heart", result.release, NOW, by="ada", reason="")
    assert read_pointer(models, "heart")[0].champion.release == theirs
    assert by_hand(models, "heart", result.release, NOW, by="ada", reason="it is right after all", force=True)
    pointer = read_pointer(models, "heart")[0]
    assert (pointer.champion.release, pointer.withdrawn) == (result.release, ())
    assert [record.kind for record in read_history(models, "heart")] == ["promoted", "rolled_back", "promoted"]


@pytest.mark.slow
def test_a_rejected_model_is_on_record_as_challenger_and_leaves_the_champion(lake, models, tracker, run):
    decision, _ = registered(lake, models, run, tracker)
    promote(models, run, decision, tracker, NEWS, NOW)
    before = read_pointer(models, "heart")
    second = evaluated(lake, models, HEART, families=("gradient_boosting",))[0]
    rejected, result = registered(lake, models, second, tracker)
    assert result.status == "rejected"
    assert promote(models, second, rejected, tracker, NEWS, NOW).status == "rejected"
    records = {(each.kind, each.release, each.before) for each in read_history(models, "heart")}
    assert records == {
        ("promoted", before[0].champion.release, None),
        ("rejected", result.release, before[0].champion.release),
    }
    assert tracker.aliases == {"champion": "1", "challenger": "2"}
    assert read_pointer(models, "heart") == before


def test_a_run_without_a_model_is_on_record_and_seals_nothing(lake, tracker):
    def broken(fitted):
        raise RuntimeError("cannot be converted")

    models = MemoryObjects("models")
    run = planned(lake, models, HEART)
    fit(lake, models, run, exporter=broken)
    assert register(lake, models, run, None, ORIGIN, tracker, NEWS, NOW).status == "no_parity"
    assert not list(models.list("releases/"))
    assert tracker.records[0].onnx is None


def test_a_step_that_is_skipped_is_named(lake, models, tracker, run):
    with pytest.raises(TrainingError, match="'decide'"):
        register(lake, models, run, None, ORIGIN, tracker, NEWS, NOW)
    with pytest.raises(TrainingError, match="'decide'"):
        register(lake, models, run, "0", ORIGIN, tracker, NEWS, NOW)
    decision = decide(lake, models, run).decision
    with pytest.raises(TrainingError, match="'register'"):
        promote(models, run, decision, tracker, NEWS, NOW)


def test_a_promotion_that_died_after_the_pointer_is_completed_by_the_same_steps(lake, models, tracker, run):
    decision, result = registered(lake, models, run, tracker)

    class Killed(Exception):
        pass

    def dies(problem):
        raise Killed

    with pytest.raises(Killed):
        promote(models, run, decision, dies, NEWS, NOW)
    assert read_pointer(models, "heart")[0].champion.release == result.release
    again = decide(lake, models, run)
    assert (again.decision, again.outcome) == (decision, "promoted"), "it is not compared with itself"
    assert register(lake, models, run, again.decision, ORIGIN, tracker, NEWS, NOW) == result
    assert promote(models, run, again.decision, tracker, NEWS, NOW).status == "promoted"
    assert tracker.aliases == {"champion": result.mlflow_version}
    assert decide(lake, models, run).outcome == "tied", "a complete one is"


def told(news):
    return [(event.kind, event.detail.release, event.detail.problem) for event in news.events.sent]


def test_a_promotion_is_told_once_and_names_the_release(lake, models, tracker, run):
    news = News(MemoryEvents(), "heart--prod")
    decision, result = registered(lake, models, run, tracker)
    for _ in range(2):
        promote(models, run, decision, tracker, news, NOW)
    assert told(news) == [("Model promoted", result.release, "heart")]
    assert news.events.sent[0].detail.system == "heart--prod"


def test_an_event_that_was_not_taken_loses_no_promotion_and_is_sent_by_the_next_call(lake, models, tracker, run):
    news = News(MemoryEvents(EventNotSent("EventBridge is away")), "heart")
    decision, result = registered(lake, models, run, tracker)
    with pytest.raises(EventNotSent):
        promote(models, run, decision, tracker, news, NOW)
    assert read_pointer(models, "heart")[0].champion.release == result.release
    assert tracker.aliases == {"champion": result.mlflow_version}
    again = decide(lake, models, run)
    assert (again.decision, again.outcome) == (decision, "promoted"), "the promotion is not complete"
    assert promote(models, run, decision, tracker, news, NOW).status == "promoted"
    assert told(news) == [("Model promoted", result.release, "heart")]


def test_an_event_that_is_sent_again_after_a_death_has_the_same_id(lake, models, tracker, run):
    class Cut(MemoryObjects):
        dies_at = ""

        def put_new(self, key, body, **said):
            if key == self.dies_at:
                self.dies_at = ""
                raise RuntimeError("killed")
            return super().put_new(key, body, **said)

    models = copied(models, Cut("models"))
    news = News(MemoryEvents(), "heart")
    decision, _ = registered(lake, models, run, tracker)
    models.dies_at = layout.run(run, promotion_file(decision))
    with pytest.raises(RuntimeError, match="killed"):
        promote(models, run, decision, tracker, news, NOW)
    promote(models, run, decision, tracker, news, NOW)
    first, second = news.events.sent
    assert first == second


def test_a_rejection_is_told(lake, models, tracker, run):
    news = News(MemoryEvents(), "heart")
    decision, result = registered(lake, models, run, tracker)
    somebody_else(models)
    promote(models, run, decision, tracker, news, NOW, attempt=ATTEMPTS)
    assert told(news) == [("Model rejected", result.release, "heart")]
    assert "Another model was promoted during this run" in news.events.sent[0].detail.message
