"""`andamio batch`, `batches` and `lookup`: a file goes, its result comes, and mistakes end in what to do."""

from __future__ import annotations

import gzip
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from andamio.adapters.memory import MemoryObjects
from andamio.cli import main
from andamio.cli.batches import batch, report
from andamio.cli.batches.batch import name_in_key
from andamio.cli.models import api
from andamio.storage import layout
from scoring.batch import ID, Shard, file_name, prediction_id
from scoring.documents import OutputFiles
from tests.support.batch_cloud import DEPLOYED, HEADER, OWN, Cloud, refusal, refused, said
from tests.support.batches import BATCH, CREATED, OTHER, a_plan, put_cut, put_done, put_shard, put_state


def test_a_file_goes_and_its_result_comes_next_to_it(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = said(monkeypatch, "batch", str(file))
    (key,) = [key for key in cloud.buckets["batch"].writes if key.startswith(layout.INCOMING)]
    assert ID.fullmatch(key.split("/")[1])
    assert key.endswith("/patients.csv")
    scored = file.with_name("patients.scored.csv").read_text().splitlines()
    assert scored[0] == f"{HEADER},{OWN}"
    assert len(scored) == 3
    assert '"line": 3' in file.with_name("patients.rejected.jsonl").read_text()
    assert "line 3: age: expected a [number]" in text
    assert cloud.release in text
    assert "1.5 s in 1 shard: 2 rows a second" in text


@pytest.mark.parametrize("form", ["csv", "parquet", "sqlite"])
def test_the_result_comes_in_the_format_that_was_asked_for(
    cloud: Cloud, file: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, "batch", str(file), "--format", form)
    result = file.with_name(f"patients.scored.{form}")
    assert result.stat().st_size
    if form == "sqlite":
        with sqlite3.connect(result) as connection:
            ages = connection.execute("SELECT age, probability_1 FROM predictions ORDER BY prediction_id").fetchall()
        assert ages == [(52, 0.75), (54, 0.75)]


def test_an_output_that_is_called_gz_is_compressed(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed = file.parent / "all.csv", file.parent / "all.csv.gz"
    said(monkeypatch, "batch", str(file), "--output", str(plain))
    said(monkeypatch, "batch", str(file), "--output", str(packed))  # which reads its first row, to name a prediction
    assert gzip.decompress(packed.read_bytes()).splitlines()[0] == plain.read_bytes().splitlines()[0]
    assert "all.db.gz" in refused("batch", str(file), "--output", str(file.parent / "all.db.gz"))


def test_the_output_s_name_says_its_format(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, "batch", str(file), "--output", str(file.parent / "all.db"))
    assert (file.parent / "all.db").read_bytes().startswith(b"SQLite format 3")


def test_a_file_that_was_scored_before_is_answered_with_that_result(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def known(batch_id: str, key: str) -> None:
        cloud.score(OTHER)
        put_state(cloud.buckets["batch"], batch_id, status="done", same_as=OTHER, key=key)

    cloud.on_arrival = known
    said(monkeypatch, "batch", str(file))
    assert prediction_id(OTHER, 2) in file.with_name("patients.scored.csv").read_text()


def test_rejects_of_an_earlier_run_do_not_stay(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = file.with_name("patients.rejected.jsonl")
    old.write_text("{}\n")

    def without_rejects(batch_id: str, key: str) -> None:
        cloud.score(batch_id, key)
        files = OutputFiles((layout.scored_part(batch_id, 0, "csv"),), None, ())
        plan = a_plan(batch=batch_id, release=cloud.release)
        put_done(cloud.buckets["batch"], plan, [""], rejected=0, files=files)

    cloud.on_arrival = without_rejects
    assert "rejected  0" in said(monkeypatch, "batch", str(file))
    assert not old.exists()


def test_without_waiting_nothing_is_brought(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "batch", str(file), "--no-wait") == ""
    assert list(file.parent.iterdir()) == [file]


MISTAKES: dict[str, tuple[list[str], str, str]] = {
    "no file": (["batch"], "usage", "andamio batch patients.csv"),
    "file and batch": (["batch", "a.csv", "--resume", BATCH], "usage", "--resume"),
    "no such file": (["batch", "nowhere.csv"], "input-file", "nowhere.csv: no such file"),
    "a folder": (["batch", "."], "input-file", "is a folder, not a file"),
    "another format": (["batch", "a.csv", "--format", "xlsx"], "usage", "expected csv, parquet, sqlite"),
    "no id": (["batch", "--resume", "x"], "usage", "'x' is not the id of a batch"),
    "an unknown id": (["batch", "--resume", BATCH], "usage", "andamio batches"),
    "no prediction": (["lookup"], "usage", "andamio lookup ID"),
}


@pytest.mark.parametrize(("words", "code", "advice"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_what_would_be_right(cloud: Cloud, words: list[str], code: str, advice: str) -> None:
    error = refusal(*words)
    assert error.code == code
    assert advice in str(error)


def test_a_file_of_another_type_or_an_empty_one_is_not_sent(cloud: Cloud, tmp_path: Path) -> None:
    for name, body, why in (("a.xlsx", b"PK", "Expected CSV (.csv, .tsv)"), ("a.csv", b"", "is empty")):
        (tmp_path / name).write_bytes(body)
        assert why in refused("batch", str(tmp_path / name))
    assert cloud.buckets["batch"].writes == []


def test_the_result_never_takes_the_place_of_the_input(cloud: Cloud, file: Path) -> None:
    assert refusal("batch", str(file), "--output", str(file)).code == "usage"


def test_where_nothing_can_be_written_nothing_is_sent(cloud: Cloud, file: Path) -> None:
    assert "There is no folder" in refused("batch", str(file), "--output", str(file.parent / "nowhere" / "a.csv"))
    assert "is a folder: name a file in it" in refused("batch", str(file), "--output", str(file.parent))
    assert cloud.buckets["batch"].writes == []


def test_without_a_model_nothing_is_sent(cloud: Cloud, file: Path) -> None:
    cloud.buckets["models"] = MemoryObjects("models")
    assert refusal("batch", str(file)).code == "no-model"
    assert cloud.buckets["batch"].writes == []


def test_a_deployment_from_before_there_were_batches_is_told_so(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_deployed", lambda problem, stage: DEPLOYED | {"state_machines": {"etl": ""}})
    assert "Deploy again: andamio deploy" in refused("batches")


def test_recent_batches_fit_on_a_line_each(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "batches") == ""
    cloud.score(OTHER)
    put_state(cloud.buckets["batch"], status="failed", reason="It lacks the column 'cp'.")
    lines = said(monkeypatch, "batches").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [BATCH, OTHER]
    assert "failed" in lines[1]
    assert "patients.csv" in lines[1]
    assert all(word in lines[2] for word in ("done", "1 of 1", cloud.release))


def test_a_prediction_is_looked_up_over_http(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    reply = {
        "prediction_id": prediction_id(BATCH, 2), "record_id": "a b", "label": "1", "label_text": "Ill",
        "probabilities": {"0": 0.25, "1": 0.75}, "model": {"name": "heart", "version": "abc"}, "created": CREATED,
        "batch": BATCH, "line": 2,
    }  # fmt: skip

    def call(deployed: dict[str, Any], method: str, path: str) -> dict[str, Any]:
        asked.append((method, path))
        return {"predictions": [reply, reply]} if "?" in path else reply

    monkeypatch.setattr(api, "call", call)
    text = said(monkeypatch, "lookup", prediction_id(BATCH, 2))
    assert "Ill" in text
    assert f"record a b, batch {BATCH}, line 2" in text
    assert said(monkeypatch, "lookup", "--record", "a b/ü").count("release abc") == 2
    assert asked == [("GET", f"/predictions/{BATCH}-2"), ("GET", "/predictions?record_id=a%20b%2F%C3%BC")]


def test_a_file_is_called_as_its_owner_calls_it() -> None:
    assert file_name(layout.incoming(BATCH, "patients.csv")) == "patients.csv"
    assert file_name("incoming/2026/patients.csv") == "2026/patients.csv"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("patients.csv", "patients.csv"),
        ("größe (1).csv.gz", "gr__e__1_.csv.gz"),
        (".csv", "file.csv"),
        ("-x.parquet", "file-x.parquet"),
        ("x" * 300 + ".csv", "x" * 120 + ".csv"),
    ],
)
def test_any_name_becomes_a_plain_one_in_the_key(name: str, expected: str) -> None:
    assert name_in_key(name) == expected


@pytest.mark.parametrize("form", ["csv", "parquet", "sqlite"])
def test_the_first_rows_of_a_result_are_shown_in_any_format(
    cloud: Cloud, file: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To SQLite, a column of the file's own that differs in case alone has the same name.
    monkeypatch.setitem(globals(), "HEADER", "age,Label")
    found = batch.Batches(DEPLOYED).score(file, batch.ResultOptions(form=form))
    assert found is not None
    console = Console(width=160, record=True, highlight=False)
    monkeypatch.setattr(report, "out", console)
    report.scored_rows(found, 5)
    header, *rows = console.export_text().splitlines()
    assert header.split() == OWN.split(",")[:-1]
    assert [row.split()[1:] for row in rows] == [["1", "Ill", "0.250", "0.750"]] * 2


def test_decimal_commas_and_columns_that_sqlite_renames_are_said(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = batch.Batches(DEPLOYED).score(file, batch.ResultOptions(form="sqlite"))
    assert found is not None
    console = Console(width=160, record=True, highlight=False)
    monkeypatch.setattr(report, "out", console)
    report.result(replace(found, plan=a_plan(columns=("age", "Age"), decimal=",")))
    text = console.export_text()
    assert "The file has decimal commas in its numbers" in text
    assert "Age  is Age_2: SQLite ignores case" in text


def test_the_first_rows_are_shown_whatever_the_cells_are_like(cloud: Cloud, file: Path) -> None:
    found = batch.Batches(DEPLOYED).score(file, batch.ResultOptions())
    assert found is not None
    head, body = found.file.read_text().split("\n", 1)
    long = "x" * 200_000
    found.file.write_text(f'note,{head}\n "a, b",{body.splitlines()[0]}\n{long},{body.splitlines()[1]}\n')
    names_out = found.plan.names_out
    rows = report.first_rows(found, 2)
    assert [row["note"] for row in rows] == ["a, b", long]
    assert all(row[names_out["prediction_id"]].startswith(found.status.batch) for row in rows)


def test_a_result_that_is_kept_no_longer_is_not_brought(cloud: Cloud, file: Path) -> None:
    found = batch.Batches(DEPLOYED).score(file, batch.ResultOptions())
    assert found is not None
    cloud.buckets["batch"].delete(layout.batch_manifest(found.status.batch))
    assert "have expired" in refused("batch", "--resume", found.status.batch)


def test_rejects_that_are_kept_no_longer_leave_the_local_ones_alone(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_plan(release=cloud.release)
    put_cut(cloud.buckets["batch"], plan, 2)
    put_state(cloud.buckets["batch"], status="failed", reason="patients.csv holds no row.", rejected=2)
    local = file.with_name("patients.rejected.jsonl")
    local.write_text("kept")
    monkeypatch.chdir(file.parent)
    error = refusal("batch", "--resume", BATCH)
    assert error.code == "no-data"
    assert "have expired" in str(error)
    assert local.read_text() == "kept"


def test_a_file_of_which_every_row_is_rejected_fails_and_its_rejects_come(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = cloud.buckets["batch"]

    def all_rejected(batch_id: str, key: str) -> None:
        plan = a_plan(batch=batch_id, release=cloud.release, key=key)
        put_cut(bucket, plan, 2)
        put_shard(bucket, plan, Shard(0, 0, 0, 2), {}, {2: "age: expected a [number]", 3: "age: expected a [number]"})
        reason = "patients.csv holds no row that can be scored."
        put_state(bucket, batch_id, status="failed", reason=reason, rejected=2, key=key)

    cloud.on_arrival = all_rejected
    text = refused("batch", str(file))
    assert "patients.csv holds no row that can be scored." in text
    assert "--resume" not in text
    assert f"Downloaded: {file.with_name('patients.rejected.jsonl')}" in text
    assert len(file.with_name("patients.rejected.jsonl").read_text().splitlines()) == 2
    assert not file.with_name("patients.scored.csv").exists()
    (key,) = [key for key in bucket.writes if key.startswith(layout.INCOMING)]
    file.with_name("patients.rejected.jsonl").unlink()
    monkeypatch.chdir(file.parent)  # where a resumed batch puts its files
    assert "holds no row" in refused("batch", "--resume", key.split("/")[1])
    assert len(file.with_name("patients.rejected.jsonl").read_text().splitlines()) == 2
    assert cloud.started == []


def test_keys_that_a_converted_result_lacks_are_named(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "patients.jsonl"
    file.write_text('{"age": 52, "sex": 1}\n')

    def with_a_late_key(batch_id: str, key: str) -> None:
        plan = a_plan(batch=batch_id, release=cloud.release, key=key, format="jsonl")
        part, bucket = layout.scored_part(batch_id, 0, "jsonl"), cloud.buckets["batch"]
        added = dict.fromkeys(OWN.split(","), 0.5) | {"prediction_id": prediction_id(batch_id, 2)}
        rows = [{"age": 52, "sex": 1, **added}, {"age": 54, "sex": 1, "ward": "B", **added}]
        bucket.put(part, "".join(json.dumps(row) + "\n" for row in rows).encode())
        put_done(bucket, plan, [part])
        bucket.put(layout.rejected_part(batch_id, 0), b'{"line": 3, "reason": "age: expected a number"}\n')

    cloud.on_arrival = with_a_late_key
    text = " ".join(said(monkeypatch, "batch", str(file), "--format", "csv").split())
    assert "left out 'ward' of 1 row: the first objects do not have them." in text
    assert "left out" not in said(monkeypatch, "batch", str(file))
