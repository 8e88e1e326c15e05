"""Training by tasks, which are processes here: the bundle that they fetch, their permissions, their log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from andamio import names

from .conftest import HEART, Clone, Deployed, gap_of_localstack

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("heart_again")]

SYSTEM = "tasks"


@pytest.fixture
def by_tasks(clone: Clone, heart: Deployed, tmp_path: Path) -> Deployed:
    """The heart problem under another name, deployed and trained with tasks alone."""
    folder = tmp_path / SYSTEM
    shutil.copytree(HEART, folder)
    text = (folder / "problem.toml").read_text().replace('name        = "heart"', f'name = "{SYSTEM}"')
    few = 'compute = "task"\nfamilies = ["logistic_regression"]\nrepeats = 1\n'
    text = text.replace("[training]\n", f"[training]\n{few}").replace("trials   = 12", "trials = 2")
    (folder / "problem.toml").write_text(text)
    clone.ok("deploy", "--problem", str(folder))
    clone.ok("ingest", str(folder / "heart.csv"), "--problem", SYSTEM)
    return clone.deployed(SYSTEM)


@gap_of_localstack("there is no ECS")
def test_a_training_of_tasks_serves_a_model(clone: Clone, by_tasks: Deployed) -> None:
    (training,) = by_tasks.executions("train")
    assert training.status == "SUCCEEDED", training.cause
    logs = by_tasks.account.client("logs")
    group = names.task_log_group(names.resource(SYSTEM, "train"))
    streams = [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    events = [logs.get_log_events(logGroupName=group, logStreamName=stream)["events"] for stream in streams]
    steps = sorted(json.loads(lines[-1]["message"])["step"] for lines in events)
    assert steps == ["evaluate", "fit", "trial", "trial", "trial"], "and the majority class is a trial too"
    assert by_tasks.request("GET", "/ping").status_code == 200
    release = json.loads(by_tasks.bucket("models").get(f"serving/{SYSTEM}.json").body)
    assert release["champion"]
