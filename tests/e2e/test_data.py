"""Data as they come: with bad rows, and many files at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from andamio.cli.models.follow import execution_arn, follow
from andamio.names import training_execution
from localstack.process import wait_until

from .conftest import REPO, Clone, Deployed, Done

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("heart_again")]

FRUIT = REPO / "tests" / "problems" / "fruit"


def current(deployed: Deployed) -> str:
    """The data version that is current."""
    version: str = json.loads(deployed.bucket("lake").get("datasets/current.json").body)["version"]
    return version


def rows(deployed: Deployed, version: str) -> int:
    """How many rows a data version has."""
    found = json.loads(deployed.bucket("lake").get(f"datasets/{version}/manifest.json").body)["rows"]
    return int(found["train"] + found["holdout"])


def test_a_file_that_stops_etl_can_be_taken_out_again(clone: Clone, heart: Deployed, tmp_path: Path) -> None:
    before = current(heart)
    file = tmp_path / "half.csv"
    file.write_text("age,sex\n54,1\n")
    failed = clone.run("ingest", str(file))
    assert failed.code == 1
    said = " ".join(failed.said.split())  # lines are broken where the terminal ends
    assert "raw/half.csv lacks the columns" in said
    assert "andamio ingest --remove half.csv" in said
    wrong = clone.run("ingest", "--remove", "hlaf.csv")
    assert wrong.code == 1
    assert "raw/half.csv" in wrong.said
    said = clone.ok("ingest", "--remove", "half.csv").said
    assert f"Data version {before} (unchanged)" in said
    assert "To train again" in said


@pytest.fixture(scope="module")
def fruit_demo(clone: Clone, heart: Deployed) -> Done:
    """The demo of a second problem, on the same cloud."""
    return clone.ok("demo", "--problem", str(FRUIT))


@pytest.fixture(scope="module")
def fruit(clone: Clone, fruit_demo: Done) -> Deployed:
    return clone.deployed("fruit")


def test_another_problem_works_with_nothing_but_its_folder(
    clone: Clone, heart: Deployed, fruit: Deployed, fruit_demo: Done
) -> None:
    assert fruit.outputs["api_url"] != heart.outputs["api_url"]
    assert any(text in fruit_demo.out for text in ("Not ripe yet", "Ready to eat", "Too late"))
    reply = fruit.request(
        "POST",
        "/predict",
        json={"features": {"sugar": 12.5, "picked_on": "2026-01-02", "organic": True, "origin": "Lima"}, "id": 4},
    )
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert set(body["probabilities"]) == {"unripe", "ripe", "over-ripe"}
    assert body["record_id"] in (4, "4")
    logged = clone.ok("logs", "api", "--problem", "fruit").out
    assert body["prediction_id"] in logged
    assert "2026-01-02" not in logged, "a private feature is never logged"


def test_fifty_files_at_once_make_one_data_version_and_one_training(fruit: Deployed, tmp_path: Path) -> None:
    before = rows(fruit, current(fruit))
    header, *lines = (FRUIT / "fruit.csv").read_text().splitlines()
    files = []
    for index in range(50):
        file = tmp_path / f"part-{index:02}.csv"
        file.write_text("\n".join([header, *lines[index * 4 : index * 4 + 4]]) + "\n")
        files.append(file)
    etl_before = {execution.arn for execution in fruit.executions("etl")}
    train_before = {execution.arn for execution in fruit.executions("train")}
    account, lake = fruit.account, fruit.outputs["buckets"]["lake"]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda file: account.upload(lake, f"raw/{file.name}", file), files))

    machine = fruit.outputs["state_machines"]["etl"]

    def started() -> list[str]:
        return [item.arn for item in account.executions(machine) if item.arn not in etl_before]

    assert wait_until(lambda: len(started()) >= 50, 120), "an event starts an execution, a moment later"
    new = started()
    ended = [follow(account, arn, "ETL") for arn in new]
    assert len(ended) == 50
    published = [execution for execution in ended if execution.output["status"] == "published"]
    assert len({execution.output["version"] for execution in published}) == 1
    assert all(item.output["status"] in ("published", "unchanged", "superseded") for item in ended)

    version = published[0].output["version"]
    arn = execution_arn(fruit.outputs["state_machines"]["train"], training_execution(version))
    follow(account, arn, "Training")
    assert {execution.arn for execution in fruit.executions("train")} - train_before == {arn}
    assert rows(fruit, version) == before + 200


def test_bad_rows_are_quarantined_with_line_and_reason_and_the_others_train(
    clone: Clone, fruit: Deployed, tmp_path: Path
) -> None:
    lake = fruit.bucket("lake")
    before, quarantined = current(fruit), {item.key for item in lake.list("quarantine/")}
    file = tmp_path / "more.csv"
    file.write_text(
        "firmness,sugar,colour,origin,picked_on,organic,state\n"
        "6.5,9.1,green,Lima,2025-09-25,no,ripe\n"
        "6.5,sweet,green,Lima,2025-09-26,no,ripe\n"  # line 3: not a number
        "6.5,9.3,blue,Lima,2025-09-27,no,ripe\n"  # line 4: not a colour
        "7.5,5.3,green,Lima,2025-09-28,yes,unripe\n"
        "7.5,5.4,green,Lima,2025-09-29,yes,maybe\n"  # line 6: not a label
    )
    said = clone.ok("ingest", str(file), "--problem", "fruit").said
    after = current(fruit)
    assert after != before
    assert after in said
    assert rows(fruit, after) == rows(fruit, before) + 2
    (key,) = {item.key for item in lake.list("quarantine/")} - quarantined
    rejects = [json.loads(line) for line in lake.get(key).body.splitlines()]
    assert sorted(reject["line"] for reject in rejects) == [3, 4, 6]
    reasons = {reject["line"]: json.dumps(reject) for reject in rejects}
    assert "sugar" in reasons[3]
    assert "colour" in reasons[4]
    assert "state" in reasons[6]
    assert fruit.request("GET", "/ping", key=False).status_code == 200
