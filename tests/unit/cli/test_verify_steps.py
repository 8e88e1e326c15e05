"""The steps of a verification find out when an answer is wrong, not only when there is none."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.cli import home
from andamio.cli.cloud.target import Target
from andamio.cli.models import api
from andamio.cli.verify import run, steps
from andamio.cli.verify.announcement import COST_DOLLARS
from andamio.cli.verify.steps import Verification
from andamio.contract import Contract
from andamio.errors import ServiceError, ToolError

HEART = home.REPO / "problems" / "heart"


@pytest.fixture
def it() -> Verification:
    account: Any = SimpleNamespace()
    where = Target(account, "210987654321", "eu-west-1", {**os.environ, "AWS_REGION": "eu-central-1"}, None)
    return Verification(HEART, Contract.load(HEART), where, [], {"system": "heart--verify"})


def answers(monkeypatch: pytest.MonkeyPatch, reply: dict[str, Any]) -> list[tuple[str, Any]]:
    """Let the API answer this; the requests that came."""
    asked: list[tuple[str, Any]] = []

    def call(deployed: object, method: str, path: str, body: Any) -> dict[str, Any]:
        asked.append((f"{method} {path}", body))
        return reply

    monkeypatch.setattr(api, "call", call)
    return asked


def test_a_prediction_has_probabilities_that_sum_to_one(it: Verification, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, {"probabilities": {"0": 0.25, "1": 0.75}})
    steps.predict(it)
    assert asked[0][0] == "POST /predict"
    assert set(asked[0][1]["features"]) == set(it.contract.inputs)
    answers(monkeypatch, {"probabilities": {"0": 0.25, "1": 0.25}})
    with pytest.raises(ServiceError, match=r"sum to 1\. Got 0\.5"):
        steps.predict(it)


def test_an_explanation_sums_to_the_prediction(it: Verification, monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = {"probability": 0.7, "average": 0.5, "contributions": [{"contribution": 0.3}, {"contribution": -0.1}]}
    answers(monkeypatch, explanation)
    steps.explain(it)
    answers(monkeypatch, {**explanation, "probability": 0.9})
    with pytest.raises(ServiceError, match=r"sum to 0\.400000\. Got 0\.200000"):
        steps.explain(it)


def test_a_lookup_must_find_the_prediction_that_was_asked_for(
    it: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = SimpleNamespace(names_out={"prediction_id": "prediction_id"})
    it.scored = SimpleNamespace(plan=plan)  # type: ignore[assignment]
    monkeypatch.setattr(steps, "first_rows", lambda found, count: [{"prediction_id": "b-2"}])
    found = {"prediction_id": "b-2"}
    monkeypatch.setattr(steps, "find_predictions", lambda *_: [found])
    steps.lookup(it)
    found["prediction_id"] = "b-3"
    with pytest.raises(ServiceError, match=r"Expected prediction b-2\. Got b-3\."):
        steps.lookup(it)


def test_a_batch_without_a_scored_row_does_not_work(
    it: Verification, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    counts = SimpleNamespace(scored=303)
    result = SimpleNamespace(manifest=counts)
    monkeypatch.setattr(steps, "Batches", lambda deployed: SimpleNamespace(score=lambda file, options: result))
    steps.batch(it)
    counts.scored = 0
    with pytest.raises(ServiceError, match=r"Expected scored rows of sample\.csv"):
        steps.batch(it)


def suite(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Let this program be the conformance suite, run in this folder."""
    monkeypatch.setenv("ANDAMIO_HOME", str(folder))
    file = folder / "tests" / "conformance" / "__main__.py"
    file.parent.mkdir(parents=True)
    file.write_text(program)
    for package in (file.parent, file.parents[1]):
        (package / "__init__.py").touch()
    monkeypatch.setattr(steps, "REPO", folder)


@pytest.mark.parametrize("code", [0, 1])
def test_the_conformance_suite_is_told_target_and_region_and_its_end_is_quoted(
    it: Verification, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    told = "sys.argv[1], os.environ['AWS_REGION'], os.environ['AWS_DEFAULT_REGION']"
    suite(monkeypatch, tmp_path, f"import os, sys\nprint({told})\nsys.exit({code})\n")
    said = "aws eu-west-1 eu-west-1"
    if code:
        with pytest.raises(ToolError, match=rf"ended with code 1\. Its last lines:\n{said}"):
            steps.conformance(it)
    else:
        assert steps.conformance(it) == said


SUITE_STOPPED_IN_THE_MIDDLE = """
import os, pathlib, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # as the suite: it may have been started with SIGINT ignored
made = pathlib.Path("made")
made.touch()
try:
    os.kill(os.getppid(), signal.{name})
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    made.rename("deleted")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stop_lets_the_conformance_suite_delete_what_it_created(
    it: Verification, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    suite(monkeypatch, tmp_path, SUITE_STOPPED_IN_THE_MIDDLE.format(name=name))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with run._signals(), pytest.raises(KeyboardInterrupt):
            steps.conformance(it)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "deleted").exists()


def test_what_is_said_about_the_cost_is_the_sum_of_the_documentation() -> None:
    rows = re.findall(r"^\|.*\| (\d\.\d{4}) \|$", (home.REPO / "docs" / "verify.md").read_text(), re.MULTILINE)
    total = sum(map(float, rows))
    assert len(rows) == 9
    assert f"The sum is ${total:.2f}" in (home.REPO / "docs" / "verify.md").read_text()
    assert total < COST_DOLLARS <= 2 * total
