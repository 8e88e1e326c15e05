"""A release and the code that it was trained with, where it serves and before another one is deployed."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.aws import ServiceError
from andamio.adapters.memory import MemoryObjects
from andamio.cli.cloud.deployment import _say_what_is_interrupted
from andamio.cli.models.own_code import interruption
from andamio.contract import Contract
from andamio.errors import OtherCode, UsageError
from andamio.release.release import Release, code_for
from lambdas.api.champion.serving import Serving
from tests.support.api import ToldClock
from tests.support.own_code import PREPARE, problem
from tests.support.releases import linear_onnx, promote, seal_release, serve

OTHER = PREPARE.replace("+ 1", "+ 2")
DEPLOYED = {"buckets": {"models": "models"}, "problem": "lets"}


def released(models: MemoryObjects, code: str = PREPARE) -> str:
    contract, _ = problem(code)
    return seal_release(models, contract, linear_onnx(contract))


def test_a_release_of_other_code_is_refused_and_the_old_one_goes_on_serving() -> None:
    models, clock = MemoryObjects("models"), ToldClock()
    contract, code = problem()
    first = serve(models, contract, linear_onnx(contract))
    serving = Serving(models, "lets", clock, 60, code=lambda: code)
    assert serving.champion().version == first
    promote(models, "lets", released(models, OTHER))
    clock.move(61)
    assert serving.champion().version == first
    assert serving.last_refusal is not None
    assert serving.last_refusal.code == "other-code"
    assert "another prepare.py" in serving.last_refusal.reason


def test_a_release_needs_no_code_that_it_was_trained_without() -> None:
    plain = Contract.load(Path("problems/heart"))
    _, code = problem()
    assert code_for("v", plain, code) is None
    with pytest.raises(OtherCode):
        code_for("v", problem(OTHER)[0], None)


@pytest.mark.parametrize(("deploys", "says"), [(PREPARE, False), (OTHER, True)])
def test_a_deploy_of_other_code_under_a_champion_says_what_will_happen(deploys: str, says: bool) -> None:
    models = MemoryObjects("models")
    version = released(models)
    promote(models, "lets", version)
    found = interruption(problem(deploys)[0], DEPLOYED, SimpleNamespace(objects=lambda _: models))  # type: ignore[arg-type]
    assert (version in found and "503" in found) is says
    assert bool(found) is says


def test_a_deploy_to_aws_without_the_prepare_py_of_the_champion_stops_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = MemoryObjects("models")
    version = released(models)
    promote(models, "lets", version)
    aws: Any = SimpleNamespace(local=False, account=SimpleNamespace(objects=lambda _: models))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    plain = Contract.load(Path("problems/heart"))
    with pytest.raises(UsageError, match=f"prepare.py is gone, and release {version}, .* Nothing was deployed"):
        _say_what_is_interrupted(plain, aws, DEPLOYED, yes=False)


def test_nothing_is_interrupted_where_nothing_serves() -> None:
    empty = SimpleNamespace(objects=lambda _: MemoryObjects("models"))
    assert interruption(problem(OTHER)[0], DEPLOYED, empty) == ""  # type: ignore[arg-type]


def test_nothing_is_interrupted_where_the_bucket_is_gone() -> None:
    class Gone(MemoryObjects):
        def get(self, key: str, version: str | None = None) -> Any:
            raise ServiceError({"Error": {"Code": "NoSuchBucket", "Message": self.bucket}}, "GetObject")

    gone = SimpleNamespace(objects=Gone)
    assert interruption(Contract.load(Path("problems/heart")), DEPLOYED, gone) == ""  # type: ignore[arg-type]


def test_two_releases_of_one_graph_and_other_code_are_two_to_a_client() -> None:
    models = MemoryObjects("models")
    one, other = (Release.open(models, released(models, code)) for code in (PREPARE, OTHER))
    assert one.files["model.onnx"] == other.files["model.onnx"]
    assert one.identity() != other.identity()
