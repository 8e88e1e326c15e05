"""From files under raw/ to a data version and one training, through the whole state machine."""

from __future__ import annotations

import json
from contextvars import Context
from typing import Any

import boto3
import pytest

from andamio import names
from andamio.storage import layout
from andamio.storage.ports import ObjectInfo

from .cloud import Cloud, sample_event
from .conftest import HEART

HEADER, *ROWS = (HEART / "heart.csv").read_text().splitlines()


def csv(rows: list[str]) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def read(cloud: Cloud, key: str) -> Any:
    return json.loads(cloud.lake.get(key).body)


def written(cloud: Cloud) -> set[tuple[str, str]]:
    return {(info.key, info.version) for info in cloud.lake.list("")}


def test_a_file_that_lands_becomes_a_data_version_and_one_training(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    ended = cloud.run("etl", cloud.landed("raw/heart.csv"))
    assert ended.status == "SUCCEEDED", ended.cause
    output = ended.output
    assert output["status"] == "published"
    assert output["rows"]["train"] + output["rows"]["holdout"] == output["rows"]["read"] == 303
    assert 59 <= output["rows"]["holdout"] <= 63
    assert output["rows"]["rejected"] == output["rows"]["replaced"] == 0
    version = output["version"]
    assert read(cloud, layout.CURRENT_DATASET)["version"] == version
    assert {info.key for info in cloud.lake.list(layout.dataset(version))} == {
        layout.dataset(version, file)
        for file in ("audit.json", "holdout.npz", "manifest.json", "profile.json", "report.html", "train.npz")
    }
    assert cloud.executions("train") == [output["training"]]
    assert output["training"].endswith(f":{names.training_execution(version)}")
    training = cloud.ended(output["training"])
    assert training.output == {"dataset": version}, "training is told which data version it is for"


def test_the_manifest_says_where_every_row_came_from(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    version = cloud.run("etl", {}).output["version"]
    manifest = read(cloud, layout.dataset(version, "manifest.json"))
    (file,) = manifest["files"]
    head: ObjectInfo = cloud.lake.head("raw/heart.csv")
    assert (file["key"], file["version"], file["etag"]) == ("raw/heart.csv", head.version, head.etag)
    assert (file["rows"], file["valid"], file["rejected"]) == (303, 303, 0)
    assert manifest["split"]
    assert manifest["contract"]


def test_the_same_input_gives_the_same_version_and_writes_nothing_twice(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    first = cloud.run("etl", cloud.landed("raw/heart.csv"))
    before = written(cloud)
    for event in (cloud.landed("raw/heart.csv"), {}):
        again = cloud.run("etl", event)
        assert again.output["status"] == "unchanged"
        assert again.output["version"] == first.output["version"]
        assert again.output["training"] == first.output["training"], "that it exists already is success"
    assert written(cloud) == before
    assert len(cloud.executions("train")) == 1


def test_fifty_files_at_once_make_one_version_and_one_training(cloud: Cloud) -> None:
    keys = [f"raw/part-{index:02}.csv" for index in range(50)]
    for index, key in enumerate(keys):
        cloud.put(key, csv(ROWS[index * 6 : index * 6 + 6]))
    arns = [cloud.start("etl", cloud.landed(key)) for key in keys]
    ended = [cloud.ended(arn) for arn in arns]
    assert all(execution.status == "SUCCEEDED" for execution in ended)
    statuses = sorted(execution.output["status"] for execution in ended)
    assert statuses == ["published"] + ["superseded"] * 49
    (published,) = [execution for execution in ended if execution.output["status"] == "published"]
    assert published.output["rows"]["read"] == 300
    assert cloud.executions("train") == [published.output["training"]]
    versions = {info.key.split("/")[1] for info in cloud.lake.list(layout.DATASETS) if info.key.count("/") == 2}
    assert versions == {published.output["version"]}
    assert sum(call.event["step"] == "validate" for call in cloud.calls) == 1, "forty-nine read no data at all"


def test_duplicate_events_leave_one_result(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    event = cloud.landed("raw/heart.csv")
    ended = [cloud.ended(arn) for arn in [cloud.start("etl", event) for _ in range(20)]]
    assert {execution.status for execution in ended} == {"SUCCEEDED"}
    assert len({execution.output["version"] for execution in ended}) == 1
    assert [execution.output["status"] for execution in ended].count("published") == 1
    assert len(cloud.executions("train")) == 1
    assert read(cloud, layout.CURRENT_DATASET)["revision"] == 1


def test_bad_rows_go_to_quarantine_with_line_and_reason_and_the_others_go_on(cloud: Cloud) -> None:
    rows = [*ROWS]
    rows[10] = rows[10].replace(rows[10].split(",")[0], "old", 1)
    rows[20] += ",1"
    cloud.put("raw/heart.csv", csv(rows))
    output = cloud.run("etl", {}).output
    assert output["status"] == "published"
    assert (output["rows"]["read"], output["rows"]["rejected"]) == (303, 2)
    assert output["rows"]["train"] + output["rows"]["holdout"] == 301
    rejects = [json.loads(line) for line in cloud.lake.get(output["rejects"]["all"]).body.splitlines()]
    assert [(reject["file"], reject["line"]) for reject in rejects] == [("raw/heart.csv", 12), ("raw/heart.csv", 22)]
    assert output["rejects"]["first"][0].startswith("raw/heart.csv: line 12: age: expected a number")
    assert "has 15 cells, and the header names 14" in output["rejects"]["first"][1]


def test_too_many_bad_rows_fail_the_execution_with_the_reasons_and_publish_nothing(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv([row + "?" if index % 3 == 0 else row for index, row in enumerate(ROWS)]))
    ended = cloud.run("etl", {})
    assert ended.status == "FAILED"
    assert ended.error == "Andamio.Rejected"
    assert ended.cause.startswith("101 of 303 rows break the contract, more than 20%: disease: is not one")
    key = ended.cause.split(" is in ")[1].split(". ")[0]
    assert len(cloud.lake.get(key).body.splitlines()) == 101, "quarantine is written all the same"
    assert not list(cloud.lake.list(layout.DATASETS)), "not even the split is sealed"
    assert cloud.executions("train") == []


def test_a_missing_column_fails_the_execution_naming_file_and_column(cloud: Cloud) -> None:
    cloud.put("raw/a.csv", csv(ROWS))
    cloud.put("raw/b.csv", csv(ROWS[:9]).replace("age,", "Age,", 1))
    ended = cloud.run("etl", cloud.landed("raw/b.csv"))
    assert ended.status == "FAILED"
    assert "raw/b.csv lacks the column 'age' (is it 'Age'?)" in ended.cause


def test_nothing_under_raw_is_success_with_a_status(cloud: Cloud) -> None:
    ended = cloud.run("etl", {})
    assert ended.status == "SUCCEEDED"
    assert ended.output["status"] == "empty"


def test_a_file_that_lands_while_another_is_read_supersedes_it(cloud: Cloud) -> None:
    real = cloud._handlers["etl"]

    def slow(event: dict[str, Any], context: Any) -> Any:
        if event["step"] == "publish" and "raw/b.csv" not in {info.key for info in cloud.lake.list(layout.RAW)}:
            cloud.put("raw/b.csv", csv(ROWS[150:]))
        return real(event, context)

    cloud.put("raw/a.csv", csv(ROWS[:150]))
    cloud.fake_function("etl", slow)
    first = cloud.run("etl", cloud.landed("raw/a.csv"))
    assert first.output["status"] == "superseded"
    assert cloud.executions("train") == []
    second = cloud.run("etl", cloud.landed("raw/b.csv"))
    assert second.output["status"] == "published"
    assert second.output["rows"]["read"] == 303


@pytest.mark.parametrize("step", ["validate", "commit"])
def test_a_file_that_is_deleted_while_it_is_read_is_left_out_by_the_same_execution(cloud: Cloud, step: str) -> None:
    real, left = cloud._handlers["etl"], ["raw/b.csv"]

    def slow(event: dict[str, Any], context: Any) -> Any:
        if event["step"] == step and left:
            # In a context of its own: it is not the function that deletes.
            Context().run(boto3.client("s3").delete_object, Bucket=cloud.lake.bucket, Key=left.pop())
        return real(event, context)

    cloud.put("raw/a.csv", csv(ROWS[:150]))
    cloud.put("raw/b.csv", csv(ROWS[150:]))
    cloud.fake_function("etl", slow)
    ended = cloud.run("etl", cloud.landed("raw/b.csv"))
    assert (ended.output["status"], ended.output["rows"]["read"]) == ("published", 150)
    assert len(cloud.executions("train")) == 1


def test_an_edit_of_the_contract_makes_a_new_version_from_the_same_files(cloud: Cloud) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    first = cloud.run("etl", {}).output
    toml = (HEART / names.PROBLEM_FILE).read_text()
    cloud.contract(toml.replace("max         = 800", 'max         = 300\non_invalid  = "missing"'))
    second = cloud.run("etl", {}).output
    assert second["status"] == "published"
    assert second["version"] != first["version"]
    manifest = read(cloud, layout.dataset(second["version"], "manifest.json"))
    assert manifest["coerced"]["chol"] > 0
    assert manifest["split"] == read(cloud, layout.dataset(first["version"], "manifest.json"))["split"]
    cloud.contract(toml.replace('"Age of the patient"', '"Age at admission"'))
    assert cloud.run("etl", {}).output["version"] == first["version"], "words alone change no data"


def test_a_fault_fails_the_execution_with_its_cause(cloud: Cloud) -> None:
    def broken(event: dict[str, Any], context: Any) -> Any:
        raise RuntimeError("the disk is full")

    cloud.fake_function("etl", broken)
    ended = cloud.run("etl", {})
    assert ended.status == "FAILED"
    assert "the disk is full" in ended.cause


@pytest.mark.parametrize("name", ["s3-object-created", "s3-object-created-ministack"])
def test_events_as_aws_and_the_emulator_send_them_are_understood(cloud: Cloud, name: str) -> None:
    cloud.put("raw/heart.csv", csv(ROWS))
    event = sample_event(name)
    # The version in the sample is another than this account gave: then a newer one is there.
    expected = "superseded" if "version-id" in event["detail"]["object"] else "published"
    assert cloud.run("etl", event).output["status"] == expected


def test_a_report_that_cannot_be_drawn_loses_nothing_but_itself_and_comes_with_the_next_run(cloud: Cloud) -> None:
    real = cloud._handlers["etl"]

    def clumsy(event: dict[str, Any], context: Any) -> Any:
        if event["step"] == "report":
            raise MemoryError("too many colours")
        return real(event, context)

    cloud.put("raw/heart.csv", csv(ROWS))
    cloud.fake_function("etl", clumsy)
    first = cloud.run("etl", {}).output
    assert (first["status"], first["report"]) == ("published", None)
    assert cloud.executions("train") == [first["training"]]
    cloud.fake_function("etl", real)
    second = cloud.run("etl", {}).output
    assert (second["status"], second["version"]) == ("unchanged", first["version"])
    assert cloud.lake.get(second["report"]).body.startswith(b"<!doctype html>")


LEAK = '[features.verdict]\ntype = "category"\n\n[training]\n'


@pytest.mark.parametrize("leakage", ["warn", "stop"])
def test_a_leak_is_a_warning_or_a_stop_as_the_contract_says(cloud: Cloud, leakage: str) -> None:
    toml = (HEART / names.PROBLEM_FILE).read_text()
    cloud.contract(toml.replace("[training]\n", f'{LEAK}leakage = "{leakage}"\n'))
    lines = [f"{row},{'ill' if row.endswith('1') else 'well'}" for row in ROWS]
    cloud.put("raw/heart.csv", "\n".join([f"{HEADER},verdict", *lines]) + "\n")
    ended = cloud.run("etl", {})
    (report,) = [info.key for info in cloud.lake.list(layout.DATASETS) if info.key.endswith("report.html")]
    assert b"copies the label" in cloud.lake.get(report).body
    if leakage == "warn":
        assert (ended.output["status"], ended.output["suspects"], ended.output["report"]) == ("published", 1, report)
        assert ended.output["warnings"][0].startswith("'verdict' copies the label")
        assert len(cloud.executions("train")) == 1
    else:
        assert (ended.status, ended.error) == ("FAILED", "Andamio.Rejected")
        assert "'verdict' copies the label" in ended.cause
        assert f"andamio report {report.split('/')[1]}" in ended.cause
        assert cloud.executions("train") == []
        assert layout.CURRENT_DATASET not in {info.key for info in cloud.lake.list(layout.DATASETS)}
