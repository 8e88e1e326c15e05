"""The demo's last part: it sends nothing where the watch may not train, and goes on only with what was its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import acting, api, history, monitor, serving
from andamio.cli.models.story import Elsewhere
from andamio.contract import Contract
from rollout.challenger import challenge
from rollout.promote import promote
from tests.support.releases import HEART_FOLDER, heart, linear_onnx, seal_release, serve

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
DEPLOYED: dict[str, Any] = {"problem": "heart", "buckets": {"models": "models"}}
ELSEWHERE = Elsewhere(Path("heart-hungary.csv"), [{"age": 50}], {"0" * 32: "1"}, labelled=True)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    objects = MemoryObjects("models")
    monkeypatch.setattr(acting, "account_of", lambda deployed: SimpleNamespace(objects=lambda bucket: objects))
    monkeypatch.setattr(history, "show", lambda deployed, limit, as_json: None)
    return objects


@pytest.fixture
def done_by_hand(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps by hand that are done, in their order."""
    steps: list[str] = []

    def noted(step: str) -> Any:
        return lambda *given, **more: steps.append(step)

    for step in ("challenge", "promote", "roll_back"):
        monkeypatch.setattr(serving, step, noted(step))
    answer = {"model": {"version": ""}}
    monkeypatch.setattr(acting, "predict", lambda deployed, records, ids: [answer for _ in records])
    return steps


def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often labels are sent; the watch answers nothing."""
    calls: list[int] = []
    monkeypatch.setattr(acting, "_labels", lambda deployed, elsewhere: calls.append(1))
    return calls


def two(models: MemoryObjects) -> tuple[str, str]:
    """A champion, and a release that never served."""
    return serve(models, heart()), seal_release(models, heart(), linear_onnx(heart(), favour=1))


def test_where_the_watch_may_not_train_nothing_is_sent_and_it_is_said_how(
    models: MemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = asked(monkeypatch)
    text = (HEART_FOLDER / "problem.toml").read_text().replace("retrain     = true", "retrain = false")
    acting.act(DEPLOYED, ELSEWHERE, Contract.from_toml(text))
    assert calls == []
    assert "andamio ingest heart-hungary.csv" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("looks", [["start", "waiting", "waiting"], ["waiting", "start", "waiting"]])
def test_the_look_that_starts_a_training_is_the_last_one(
    models: MemoryObjects, monkeypatch: pytest.MonkeyPatch, looks: list[str]
) -> None:
    few = SimpleNamespace(joined=0)
    reports = [SimpleNamespace(labels=few, retraining=SimpleNamespace(status=status, message="")) for status in looks]
    later = iter(reports)
    monkeypatch.setattr(api, "call", lambda *given: None)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(monitor, "compare", lambda deployed: next(later))
    followed: list[Any] = []
    monkeypatch.setattr(acting, "_retrained", lambda deployed, account, report: followed.append(report))
    acting.act(DEPLOYED, ELSEWHERE, heart())
    assert [report.retraining.status for report in followed] == ["start"]


@pytest.mark.parametrize(
    ("reason", "promoted", "left"),
    [
        (acting.TRY, False, ["challenge", "promote", "roll_back"]),
        (acting.SERVE, True, ["roll_back"]),
        ("a person's own reason", False, []),
        ("a person's own reason", True, []),
    ],
)
def test_what_the_demo_was_trying_when_it_was_cut_off_is_taken_back_and_nobody_else_s(
    models: MemoryObjects,
    monkeypatch: pytest.MonkeyPatch,
    done_by_hand: list[str],
    reason: str,
    promoted: bool,
    left: list[str],
) -> None:
    calls = asked(monkeypatch)
    _, other = two(models)
    if promoted:
        promote(models, "heart", other, NOW, by="ada", reason=reason)
    else:
        challenge(models, "heart", other, NOW, by="ada", reason=reason, strategy="canary")
    acting.act(DEPLOYED, ELSEWHERE, heart())
    assert done_by_hand == left
    assert bool(calls) is not bool(left)
