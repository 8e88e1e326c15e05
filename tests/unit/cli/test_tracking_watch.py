"""While a training is followed: that MLflow is down is said once, and when it is back."""

from __future__ import annotations

import pytest

from andamio.cli.models import tracking
from andamio.cli.models.tracking import TrackingWatch


def test_that_mlflow_is_down_is_said_once_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([False, False, True, True])
    monkeypatch.setattr(tracking.reachable, "answers", lambda url: next(answers))
    monkeypatch.setattr(tracking, "_SECONDS", 0.0)
    watch = TrackingWatch("http://127.0.0.1:5000")
    for _ in range(4):
        watch.look()
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("does not answer") == 1
    assert "andamio up" in said
    assert said.count("answers again") == 1
    TrackingWatch(None).look()
