"""`andamio ingest --remove`: a raw file is taken out, and ETL looks again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from andamio.adapters.aws import Account, Execution
from andamio.cli.models import pipeline
from andamio.errors import UsageError
from andamio.storage import layout
from etl.collect import Source, Sources
from tests.support import cards
from tests.support.datasets import a_current
from training.documents import TrainingPlan

DEPLOYED: dict[str, Any] = {"buckets": {"lake": "lake", "models": "models"}, "state_machines": {"etl": "arn:etl"}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="lake")
        s3.create_bucket(Bucket="models")
        s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        for name in ("good.csv", "half.csv"):
            s3.put_object(Bucket="lake", Key=layout.RAW + name, Body=name.encode())
        there = Account(None, "us-east-1")
        monkeypatch.setattr(there, "executions", lambda machine, limit=100: [])
        monkeypatch.setattr(pipeline, "account_of", lambda deployed: there)
        yield there


@pytest.fixture
def started(account: Account, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    machines: list[str] = []
    monkeypatch.setattr(account, "start", lambda machine, name, payload: machines.append(machine))
    return machines


def keys(account: Account) -> list[str]:
    return [info.key for info in account.objects("lake").list(layout.RAW)]


@pytest.mark.parametrize("name", ["half.csv", "raw/half.csv"])
def test_a_file_that_is_taken_out_keeps_its_versions_and_etl_is_started(
    account: Account, started: list[str], name: str
) -> None:
    version = account.objects("lake").head("raw/half.csv").version
    pipeline.ingest(DEPLOYED, [], remove=[name], wait=False)
    assert keys(account) == ["raw/good.csv"]
    assert account.objects("lake").get("raw/half.csv", version=version).body == b"half.csv"
    assert started == ["arn:etl"]


def test_when_one_name_is_wrong_nothing_is_taken_out_and_the_names_are_said(
    account: Account, started: list[str]
) -> None:
    with pytest.raises(UsageError, match=r"There is no raw/nope\.csv\. .*raw/good\.csv, raw/half\.csv"):
        pipeline.ingest(DEPLOYED, [], remove=["half.csv", "nope.csv"], wait=False)
    assert len(keys(account)) == 2
    assert started == []


def test_a_removal_is_followed_by_etl_also_beside_files_that_are_there_already(
    account: Account, started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "good.csv"
    file.write_bytes(b"good.csv")
    account.upload("lake", "raw/good.csv", file)
    monkeypatch.setattr(pipeline, "_champion", lambda deployed, account: SimpleNamespace())
    monkeypatch.setattr(pipeline, "has_decision", lambda deployed, account: True)
    pipeline.ingest(DEPLOYED, [file], remove=["half.csv"], wait=False)
    assert started == ["arn:etl"]


def sources(account: Account) -> Sources:
    """What lies under raw/ now, as a data version's lineage names it."""
    return Sources(tuple(map(Source.of, account.objects("lake").list(layout.RAW))), "contract", {})


def made_of(account: Account, lineage: Sources) -> None:
    """A current data version of these raw objects."""
    lake = account.objects("lake")
    lineage.save(lake)
    lake.put(layout.CURRENT_DATASET, a_current("v", input=lineage.digest).to_json())


def test_data_that_no_version_is_made_of_are_not_said_to_be_in_use(
    account: Account,
    started: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The cloud ended in the middle of ETL: the file lies there, a version and a model are those of before."""
    monkeypatch.setattr(pipeline, "_champion", lambda deployed, account: SimpleNamespace())
    monkeypatch.setattr(pipeline, "has_decision", lambda deployed, account: True)
    made_of(account, sources(account))
    file = tmp_path / "more.csv"
    file.write_bytes(b"more")
    assert account.upload("lake", "raw/more.csv", file), "and then the cloud ended"
    pipeline.ingest(DEPLOYED, [file], wait=False)
    said = " ".join(capsys.readouterr().err.split())
    assert "ETL runs again" in said
    assert "the champion was trained" not in said
    assert started == ["arn:etl"]
    made_of(account, sources(account))
    pipeline.ingest(DEPLOYED, [file], wait=False)
    assert "the champion was trained on them" in " ".join(capsys.readouterr().err.split())
    assert started == ["arn:etl"]


@pytest.mark.parametrize(
    ("status", "said"), [("unchanged", "To train again"), ("published", "new model is the champion")]
)
def test_a_training_that_ended_before_is_not_told_as_news(
    account: Account,
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: str,
    said: str,
) -> None:
    deployed = {**DEPLOYED, "state_machines": {"etl": "arn:stateMachine:etl", "train": "arn:stateMachine:train"}}
    now = datetime.now(UTC)

    def ended(arn: str, output: dict[str, Any]) -> Execution:
        return Execution(arn, "e", "SUCCEEDED", now, now, output, "")

    monkeypatch.setattr(pipeline, "follow", lambda account, arn, what: ended(arn, {"status": status, "version": "v"}))
    monkeypatch.setattr(account, "execution", lambda arn: ended(arn, {"status": "promoted"}))
    monkeypatch.setattr(pipeline, "_follow_trials", lambda deployed, account, arn: account.execution(arn))
    monkeypatch.setattr(pipeline, "_champion", lambda deployed, account: SimpleNamespace())
    monkeypatch.setattr(pipeline, "has_decision", lambda deployed, account: True)
    pipeline.ingest(deployed, [], wait=True)
    assert said in capsys.readouterr().err
    assert started == ["arn:stateMachine:etl"]


def test_a_data_version_is_decided_once_a_run_on_it_with_the_deployed_contract_reached_the_gate(
    account: Account, tmp_path: Path
) -> None:
    models = account.objects("models")
    account.objects("lake").put(layout.CURRENT_DATASET, a_current("v").to_json())
    models.put(
        layout.run("r", "plan.json"),
        TrainingPlan.model_validate(cards.PLAN | {"contract": "c", "dataset": "v"}).to_json(),
    )
    deployed = DEPLOYED | {"contract": "c"}
    assert not pipeline.has_decision(deployed, account), "no decision yet"
    models.put(layout.run("r", "decisions/d.json"), b"{}")
    assert pipeline.has_decision(deployed, account)
    models.put(layout.run("old", "plan.json"), b'{"contract": "c", "dataset": "v"}')
    models.put(layout.run("old", "decisions/d.json"), b"{}")
    assert pipeline.has_decision(deployed, account), "the plan of another version is passed over"
    assert not pipeline.has_decision(deployed | {"contract": "another"}, account)
    account.objects("lake").put(layout.CURRENT_DATASET, a_current("w").to_json())
    assert not pipeline.has_decision(deployed, account)
