"""Files in, predictions out: by any S3 client, over HTTP, by the command; large ones, and ones that are no good."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from pyarrow import csv as arrow_csv

from andamio.contract import Contract

from .conftest import HEART, Clone, Deployed

pytestmark = pytest.mark.e2e

END_SECONDS = 120.0
MANY = 200_000
CONTRACT = Contract.load(HEART)
PATIENTS = (HEART / "heart.csv").read_text()
HEADER, *LINES = PATIENTS.splitlines()


@pytest.fixture(scope="module", autouse=True)
def _small_shards(clone: Clone, heart: Deployed, heart_again: None) -> None:
    """Shards of a megabyte, so that a file that is made in a second has many."""
    clone.ok("deploy", "--context", "shard_mib=1")


def recent(heart: Deployed) -> list[dict[str, Any]]:
    batches: list[dict[str, Any]] = heart.request("GET", "/batches?limit=50").json()["batches"]
    return batches


def drop(heart: Deployed, name: str, body: bytes) -> str:
    """Put a file into S3 as any client would, and return the id of the batch that comes of it."""
    key, before = f"incoming/{name}", {batch["batch"] for batch in recent(heart)}
    heart.bucket("batch").put(key, body)
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        for batch in recent(heart):
            if batch["file"] == key and batch["batch"] not in before:
                return str(batch["batch"])
        time.sleep(0.2)
    raise AssertionError(f"no batch of {key} began")


def ended(heart: Deployed, batch: str) -> dict[str, Any]:
    """How a batch ended."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = heart.request("GET", f"/batches/{batch}").json()
        if found["status"] in ("done", "failed"):
            return found
        time.sleep(0.2)
    raise AssertionError(f"batch {batch} did not end: {found}")


def downloaded(link: str) -> bytes:
    """What a presigned link gives to somebody without any key."""
    reply = httpx.get(link, timeout=60)
    reply.raise_for_status()
    return reply.content


def cells(body: bytes | str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body if isinstance(body, str) else body.decode())))


def online(heart: Deployed, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What the API answers for rows of the data."""

    def value(name: str, cell: str) -> Any:
        if cell in ("", *CONTRACT.data.missing):
            return None
        return float(cell) if CONTRACT.inputs[name].type in ("integer", "number") else cell

    records = [{"features": {name: value(name, row[name]) for name in CONTRACT.inputs}} for row in rows]
    reply = heart.request("POST", "/predict/batch", json={"records": records})
    assert reply.status_code == 200, reply.text
    predictions: list[dict[str, Any]] = reply.json()["predictions"]
    return predictions


def test_the_training_data_dropped_into_s3_come_back_scored_as_the_api_scores_them(heart: Deployed) -> None:
    batch = ended(heart, drop(heart, "training/heart.csv", PATIENTS.encode()))
    assert (batch["status"], batch["rows"], batch["scored"], batch["rejected"]) == ("done", 303, 303, 0), batch
    scored = cells(downloaded(batch["links"]["scored"]))
    given = cells(PATIENTS)
    assert [{name: row[name] for name in given[0]} for row in scored] == given, "the file's own columns, as they were"
    answers = online(heart, given)
    assert {answer["model"]["version"] for answer in answers} == {batch["model"]["version"]}
    for row, answer in zip(scored, answers, strict=True):
        assert (row["label"], row["label_text"]) == (answer["label"], answer["label_text"])
        for label, probability in answer["probabilities"].items():
            assert float(row[f"probability_{label}"]) == pytest.approx(probability, abs=1e-6)


def test_over_http_a_file_is_sent_without_any_aws_key_and_its_rows_are_looked_up(heart: Deployed) -> None:
    lines = [f"record_id,{HEADER}", f"visit-1,{LINES[0]}", f"visit-2,old{LINES[1]}", f'"visit\n3",{LINES[2]}']
    asked = heart.request("POST", "/batches", json={"name": "pacientes año 2026.csv.gz"})
    assert asked.status_code == 201, asked.text
    upload, batch = asked.json()["upload"], asked.json()["batch"]
    assert heart.request("GET", f"/batches/{batch}").json()["status"] == "waiting"
    body = gzip.compress("\n".join(lines).encode())
    sent = httpx.post(upload["url"], data=upload["fields"], files={"file": ("patients.csv.gz", body)}, timeout=60)
    assert sent.status_code < 300, sent.text

    done = ended(heart, batch)
    assert (done["status"], done["rows"], done["scored"], done["rejected"]) == ("done", 3, 2, 1), done
    (reject,) = [json.loads(line) for line in downloaded(done["links"]["rejected"][0]).splitlines()]
    assert (reject["line"], reject["row"]["record_id"]) == (3, "visit-2")
    assert "age" in reject["reason"]
    first, third = cells(downloaded(done["links"]["scored"]))
    assert (first["prediction_id"], third["prediction_id"]) == (f"{batch}-2", f"{batch}-4")

    found = heart.request("GET", f"/predictions/{batch}-4").json()
    assert (found["record_id"], found["batch"], found["line"]) == ("visit\n3", batch, 4)
    assert found["probabilities"]["1"] == pytest.approx(float(third["probability_1"]), abs=1e-6)
    newest = heart.request("GET", "/predictions", params={"record_id": "visit-1"}).json()["predictions"][0]
    assert newest["prediction_id"] == f"{batch}-2"
    refused = heart.request("GET", f"/predictions/{batch}-3")
    assert refused.status_code == 404
    assert "rejected" in refused.json()["detail"]


def test_parquet_and_json_lines_come_back_in_their_own_format(heart: Deployed, tmp_path: Path) -> None:
    table = arrow_csv.read_csv(HEART / "heart.csv").drop_columns(["disease"]).slice(0, 20)
    sink = io.BytesIO()
    parquet.write_table(table, sink, row_group_size=7)
    rows = table.to_pylist()
    ids = {
        "rows.parquet": drop(heart, "rows.parquet", sink.getvalue()),
        "rows.jsonl": drop(heart, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()),
    }
    ends = {name: ended(heart, batch) for name, batch in ids.items()}
    assert {name: (end["status"], end["scored"]) for name, end in ends.items()} == dict.fromkeys(ids, ("done", 20))
    from_parquet = parquet.read_table(io.BytesIO(downloaded(ends["rows.parquet"]["links"]["scored"]))).to_pylist()
    from_json = [json.loads(line) for line in downloaded(ends["rows.jsonl"]["links"]["scored"]).splitlines()]
    answers = online(heart, cells("\n".join([HEADER, *LINES[:20]])))
    for typed, said, answer in zip(from_parquet, from_json, answers, strict=True):
        assert typed["probability_1"] == pytest.approx(answer["probabilities"]["1"], abs=1e-6)
        assert said["probability_1"] == pytest.approx(answer["probabilities"]["1"], abs=1e-6)
    assert [row["prediction_id"].rsplit("-", 1)[1] for row in from_parquet] == [str(row) for row in range(1, 21)]


def test_the_command_brings_sqlite_and_knows_the_file_again(clone: Clone, heart: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("\n".join([HEADER, *LINES[50:150]]) + "\n")
    said = clone.ok("batch", str(file), "--format", "sqlite").said
    with sqlite3.connect(tmp_path / "patients.scored.sqlite") as connection:
        rows = connection.execute("SELECT prediction_id, age, probability_1 FROM predictions ORDER BY rowid").fetchall()
    answers = online(heart, cells(file.read_text()))
    assert [row[1] for row in rows] == [int(line.split(",")[0]) for line in LINES[50:150]]
    assert [row[2] for row in rows] == pytest.approx([answer["probabilities"]["1"] for answer in answers], abs=1e-6)
    assert answers[0]["label_text"] in clone.ok("lookup", rows[0][0]).out
    again = clone.ok("batch", str(file)).said
    assert "scored by the same model before" in again
    assert cells((tmp_path / "patients.scored.csv").read_text())[0]["prediction_id"] == rows[0][0]
    assert "patients.csv" in clone.ok("batches").out
    assert rows[0][0] in said


def test_two_hundred_thousand_rows_are_many_shards_and_one_result(
    clone: Clone, heart: Deployed, tmp_path: Path
) -> None:
    file, draw = tmp_path / "many.csv", random.Random(4)
    complete = [line.rsplit(",", 1)[0] for line in LINES]
    with file.open("w", newline="") as text:
        text.write(f"{HEADER.rsplit(',', 1)[0]},note\n")
        for number in range(MANY):
            # Every so often a note that goes on over two lines, so that lines and rows are not the same.
            text.write(f"{draw.choice(complete)},{f'"a{chr(10)}{number}"' if number % 1000 == 0 else number}\n")
    said = clone.ok("batch", str(file)).said
    assert "200,000" in said
    with (tmp_path / "many.scored.csv").open(newline="") as text:
        scored = list(csv.DictReader(text))
    assert [row["note"].split("\n")[-1] for row in scored] == [str(number) for number in range(MANY)]
    batch = scored[0]["prediction_id"].rsplit("-", 1)[0]
    lines = [int(row["prediction_id"].rsplit("-", 1)[1]) for row in scored]
    expected, line = [], 2
    for number in range(MANY):
        expected.append(line)
        line += 2 if number % 1000 == 0 else 1
    assert lines == expected
    manifest = json.loads(heart.bucket("batch").get(f"scored/{batch}.manifest.json").body)
    assert len(manifest["shards"]) >= 6
    assert sum(shard["scored"] for shard in manifest["shards"]) == MANY
    assert manifest["stored"] is False
    for place in (0, 77_777, MANY - 1):
        found = heart.request("GET", f"/predictions/{scored[place]['prediction_id']}").json()
        assert found["line"] == lines[place]
        assert found["probabilities"]["1"] == pytest.approx(float(scored[place]["probability_1"]), abs=1e-6)


def test_a_file_that_is_no_good_is_refused_with_words_before_a_row_is_scored(heart: Deployed) -> None:
    without_cp = "\n".join(",".join(line.split(",")[:2] + line.split(",")[3:]) for line in PATIENTS.splitlines())
    bad = {
        "wrong-header.csv": (without_cp.encode(), "'cp'"),
        "empty.csv": (b"\n\n", "empty"),
        "renamed.parquet": (PATIENTS.encode(), "Parquet"),
        "bomb.csv.gz": (gzip.compress(f"{HEADER}\n".encode() + f"{LINES[0]}\n".encode() * 2_500_000), "200 times"),
    }
    ids = {name: drop(heart, f"bad/{name}", body) for name, (body, _) in bad.items()}
    for name, batch in ids.items():
        end = ended(heart, batch)
        assert end["status"] == "failed", (name, end)
        assert bad[name][1] in end["reason"], (name, end["reason"])
        assert end["links"]["parts"] == []
        assert not list(heart.bucket("batch").list(f"scored/{batch}"))
