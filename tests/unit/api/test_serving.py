"""A new champion is served soon, without a failed request; one that cannot be loaded, never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from andamio import names
from andamio.adapters.memory import MemoryObjects
from andamio.release.release import FILES
from andamio.storage import layout
from andamio.storage.ports import StoredObject
from tests.support.api import Api
from tests.support.releases import heart, linear_onnx, promote, seal_release, serve
from tests.unit.api.conftest import PATIENT, loans

Lines = Callable[[str], list[dict[str, Any]]]


class Watched(MemoryObjects):
    """Objects that remember what was read, and fail when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.down = False

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        self.reads.append(key)
        if self.down:
            raise ConnectionError("storage is away")
        return super().get(key, version=version)

    def looks(self) -> int:
        """How often the pointer was read."""
        return self.reads.count(layout.pointer("heart"))


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def api(watched: Watched) -> Api:
    api = Api(objects=watched)
    serve(watched, heart())
    watched.reads.clear()
    return api


def challenger(api: Api) -> str:
    """A release that says something else."""
    return seal_release(api.objects, heart(), linear_onnx(heart(), favour=1))


def test_nothing_is_read_before_the_first_request(api: Api, watched: Watched) -> None:
    Api(objects=watched)
    assert watched.reads == []


def test_a_prediction_reads_nothing_once_the_release_is_loaded(api: Api, watched: Watched) -> None:
    api.predict(PATIENT)
    watched.reads.clear()
    for _ in range(100):
        assert api.predict(PATIENT).status == 200
    assert watched.reads == []


def test_a_new_champion_is_served_after_the_refresh_with_no_failed_request(api: Api) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    second = challenger(api)
    promote(api.objects, "heart", second)
    served = []
    for _ in range(130):
        answer = api.predict(PATIENT)
        assert answer.status == 200
        served.append(answer.json["model"]["version"])
        api.clock.move(1)
    assert served == [first] * 60 + [second] * 70


def test_the_pointer_is_looked_at_once_per_refresh(api: Api, watched: Watched) -> None:
    for _ in range(300):
        api.get("/ping")
        api.clock.move(1)
    assert watched.looks() == 5


def test_a_clock_that_was_set_back_does_not_stop_the_looking(api: Api, watched: Watched) -> None:
    api.predict(PATIENT)
    api.clock.move(-3600)
    api.predict(PATIENT)
    assert watched.looks() == 2


def test_without_a_model_the_pointer_is_looked_at_once_a_second(watched: Watched) -> None:
    api = Api(objects=watched)
    for _ in range(30):
        assert api.predict(PATIENT).status == 503
        api.clock.move(0.25)
    assert watched.looks() == 8
    serve(watched, heart())
    api.clock.move(1)
    assert api.predict(PATIENT).status == 200


def test_a_champion_that_is_promoted_again_is_not_loaded_again(api: Api, watched: Watched) -> None:
    version = api.predict(PATIENT).json["model"]["version"]
    revision = promote(watched, "heart", version, since="2026-02-01T00:00:00+00:00")
    watched.reads.clear()
    api.clock.move(60)
    api.predict(PATIENT)
    assert watched.reads == [layout.pointer("heart")]
    said = api.get("/version").json
    assert (said["loads"], said["revision"], said["since"]) == (1, revision, "2026-02-01T00:00:00+00:00")


@pytest.mark.parametrize("file", ["manifest.json", "model.onnx", "contract.json"])
def test_a_release_that_was_tampered_with_is_refused_and_the_old_one_goes_on(api: Api, file: str, lines: Lines) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    second = challenger(api)
    key = layout.release(second, file)
    api.objects.put(key, api.objects.get(key).body + b" ")
    promote(api.objects, "heart", second)
    api.clock.move(60)
    answer = api.predict(PATIENT)
    assert (answer.status, answer.json["model"]["version"]) == (200, first)
    (line,) = lines(names.EVENT_RELEASE_REFUSED)
    assert (line["release"], line["serving"], line["refusals"]) == (second, first, 1)
    assert "changed after it was sealed" in line["reason"]
    said = api.get("/version").json
    assert (said["release"], said["refusals"]) == (first, 1)
    assert said["last_refusal"]["release"] == second


@pytest.mark.parametrize("file", ["manifest.json", "model.onnx", "contract.json"])
def test_a_release_that_is_incomplete_is_refused(api: Api, file: str) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    second = challenger(api)
    api.objects.delete(layout.release(second, file))
    promote(api.objects, "heart", second)
    api.clock.move(60)
    assert api.predict(PATIENT).json["model"]["version"] == first
    assert api.get("/version").json["last_refusal"]["code"] == "release"


def bad_releases() -> Iterator[tuple[str, Callable[[Api], str]]]:
    yield "a model that is none", lambda api: seal_release(api.objects, heart(), b"not a model")
    yield "a model of another contract", lambda api: seal_release(api.objects, heart(), linear_onnx(loans()))
    yield (
        "a model that answers NaN",
        lambda api: seal_release(api.objects, heart(), linear_onnx(heart(), broken=True)),
    )
    yield "a threshold that is none", lambda api: seal_release(api.objects, heart(), threshold=7)
    yield "a contract that is none", lambda api: seal_release(api.objects, heart(), changed={"contract.json": b"{}"})
    yield "a version that is none", lambda api: "../../elsewhere"
    yield "a release that does not exist", lambda api: "0" * 16


@pytest.mark.parametrize("made", [made for _, made in bad_releases()], ids=[name for name, _ in bad_releases()])
def test_a_release_that_cannot_answer_never_serves(api: Api, made: Callable[[Api], str]) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    promote(api.objects, "heart", made(api))
    api.clock.move(60)
    answer = api.predict(PATIENT)
    assert (answer.status, answer.json["model"]["version"]) == (200, first)
    assert api.get("/version").json["refusals"] == 1


def test_a_refused_release_is_tried_again_and_counted_each_time(api: Api) -> None:
    api.predict(PATIENT)
    second = challenger(api)
    key = layout.release(second, "model.onnx")
    whole = api.objects.get(key).body
    api.objects.put(key, b"cut off")
    promote(api.objects, "heart", second)
    for _ in range(3):
        api.clock.move(60)
        api.predict(PATIENT)
    assert api.get("/version").json["refusals"] == 3
    api.objects.put(key, whole)
    api.clock.move(60)
    assert api.predict(PATIENT).json["model"]["version"] == second


def test_while_storage_is_away_the_champion_goes_on_serving(api: Api, watched: Watched, lines: Lines) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    watched.down = True
    api.clock.move(60)
    answer = api.predict(PATIENT)
    assert (answer.status, answer.json["model"]["version"]) == (200, first)
    assert api.get("/ping").status == 200
    (line,) = lines(names.EVENT_RELEASE_REFUSED)
    assert (line["code"], line["reason"]) == ("unexpected", "ConnectionError")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"problem": "heart"}', b"\xff"])
def test_a_pointer_that_cannot_be_read_leaves_the_champion(api: Api, body: bytes) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    api.objects.put(layout.pointer("heart"), body)
    api.clock.move(60)
    assert api.predict(PATIENT).json["model"]["version"] == first
    assert api.get("/version").json["refusals"] == 1


def test_a_pointer_that_is_gone_leaves_the_champion(api: Api) -> None:
    first = api.predict(PATIENT).json["model"]["version"]
    api.objects.delete(layout.pointer("heart"))
    api.clock.move(60)
    assert api.predict(PATIENT).json["model"]["version"] == first
    assert api.get("/version").json["last_refusal"]["code"] == "not-ready"


def test_a_first_release_that_is_refused_is_a_503_that_names_it() -> None:
    api = Api()
    version = serve(api.objects, heart())
    api.objects.put(layout.release(version, "model.onnx"), b"tampered")
    answer = api.predict(PATIENT)
    assert answer.status == 503
    assert version in answer.json["detail"]


def test_a_new_champion_brings_its_own_contract(api: Api) -> None:
    assert api.predict(PATIENT | {"age": 110}).status == 200
    narrower = heart().model_dump(mode="json", exclude_none=True)
    narrower["features"]["age"]["max"] = 100
    serve(api.objects, type(heart()).model_validate(narrower))
    api.clock.move(60)
    assert api.predict(PATIENT | {"age": 110}).json["errors"][0]["reason"] == "must be between 0 and 100"
    assert api.get("/schema").json["properties"]["age"]["maximum"] == 100


def test_ping_is_200_with_a_model_and_503_without(api: Api) -> None:
    assert (api.get("/ping").status, Api().get("/ping").status) == (200, 503)


def test_version_answers_without_a_model_too() -> None:
    said = Api().get("/version")
    assert said.status == 200
    assert (said.json["release"], said.json["loads"], said.json["refusals"]) == (None, 0, 0)


def test_model_says_how_good_it_is_and_why_it_serves(api: Api) -> None:
    said = api.get("/model").json
    assert said["version"] == api.predict(PATIENT).json["model"]["version"]
    assert said["metrics"]["roc_auc"] == {"value": 0.9, "low": 0.8, "high": 0.95}
    assert said["data_version"] == "data-1"
    assert said["decision"]["outcome"] == "promote"
    assert said["classes"] == {"0": "Healthy patient", "1": "Heart disease detected"}
    assert (said["positive"], said["threshold"]) == ("1", 0.5)


@pytest.mark.parametrize("file", ["evaluation.json", "decision.json"])
def test_model_does_not_repeat_what_was_changed_after_sealing(api: Api, file: str) -> None:
    version = api.predict(PATIENT).json["model"]["version"]
    api.objects.put(layout.release(version, file), b'{"metrics": {"roc_auc": {"value": 1.0}}}')
    answer = api.get("/model")
    assert answer.status == 503
    assert "roc_auc" not in answer.text
    assert api.predict(PATIENT).status == 200


def test_a_release_holds_what_this_test_tampers_with() -> None:
    assert {"model.onnx", "contract.json", "evaluation.json", "decision.json"} <= set(FILES)
