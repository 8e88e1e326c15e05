"""A problem with code of its own: from the raw file to predictions, all by the same prepare.py."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from andamio.contract.own_code import prepare_digest
from andamio.dataset.documents import CurrentDataset, DatasetManifest
from andamio.release.pointer import champion, read_pointer
from andamio.release.proof import Proof
from andamio.release.release import PROOF, Release
from andamio.storage import documents, layout
from andamio.testing import LocalAws, local_aws

LISTINGS = Path(__file__).parents[2] / "problems" / "listings"
LINEAR = {"families": ["logistic_regression"], "trials": 1}
FAULT = """    if (columns["amenities"] == "{fault}").any():
        made["lift"] = made["never made"]
"""
PLANTED = "PLANTED_DIFFERENCE"
PREPARE = (
    (LISTINGS / "prepare.py")
    .read_text()
    .replace("    made = {}\n", "    made = {}\n" + FAULT)
    .replace("import re\n", "import os\nimport re\n")
    .replace("np.log(nights)", f"np.log(nights) + float(os.environ.get('{PLANTED}', '0'))")
)
"""That of listings, with a fault that one record brings up, and a value that depends on where it is made."""
ROWS = list(csv.DictReader(io.StringIO((LISTINGS / "listings.csv").read_text())))
LABELS = ("price", "status", "listing")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    folder = tmp_path_factory.mktemp("problems") / "listings"
    shutil.copytree(LISTINGS, folder)
    (folder / "prepare.py").write_text(PREPARE)
    with local_aws(folder) as account:
        account.put("raw/listings.csv", (folder / "listings.csv").read_bytes())
        account.run("etl")
        assert account.run("train", LINEAR).output["status"] in ("promoted", "tied")
        yield account


def record(row: dict[str, str]) -> dict[str, Any]:
    """A row of the file as a client sends it."""
    sent = {name: text for name, text in row.items() if name not in LABELS and text not in ("", "N/A")}
    return {**sent, **{name: int(row[name]) for name in ("beds", "minimum_nights", "reviews")}}


def csv_of(rows: list[dict[str, str]]) -> str:
    body = io.StringIO()
    writer = csv.DictWriter(body, [name for name in rows[0] if name not in LABELS], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return body.getvalue()


def test_rows_that_keep_leaves_out_are_counted_and_none_is_rejected(aws: LocalAws) -> None:
    current = documents.read(aws.lake, layout.CURRENT_DATASET, CurrentDataset)
    manifest = documents.read(aws.lake, layout.dataset(current.version, "manifest.json"), DatasetManifest)
    withdrawn = sum(row["status"] == "withdrawn" for row in ROWS)
    dear = sum(float(row["price"][1:].replace(",", "")) > 2000 and row["status"] != "withdrawn" for row in ROWS)
    assert manifest.rows.left_out == withdrawn + dear > 0
    assert manifest.rows.rejected == 0
    page = aws.lake.get(layout.dataset(current.version, "report.html")).body.decode()
    assert "left out" in page
    pointer, _ = read_pointer(aws.models, "listings")
    card = Release.open(aws.models, champion(pointer).release).read("card.md").decode()
    assert f"{manifest.rows.left_out} rows left out by keep of prepare.py" in card
    assert manifest.rows.valid == len(ROWS) - manifest.rows.left_out


def test_the_release_seals_the_digest_of_the_code(aws: LocalAws) -> None:
    pointer, _ = read_pointer(aws.models, "listings")
    sealed = Release.open(aws.models, champion(pointer).release).contract()
    assert sealed.prepare == prepare_digest(PREPARE.encode())


def test_a_row_has_one_probability_as_json_as_csv_and_in_a_file(aws: LocalAws) -> None:
    some = ROWS[:20]
    replies = [aws.request("POST", "/predict", {"features": record(row)}) for row in some]
    assert {reply.status for reply in replies} == {200}, replies[0].text
    alone = [reply.json["probabilities"]["yes"] for reply in replies]
    together = aws.request("POST", "/predict/batch", {"records": [{"features": record(row)} for row in some]}).json
    assert [one["probabilities"]["yes"] for one in together["predictions"]] == pytest.approx(alone, abs=1e-6)
    aws.put("incoming/some.csv", csv_of(some), aws.batch)
    result = aws.run("batch", aws.landed("incoming/some.csv", aws.batch)).output
    assert (result["scored"], result["rejected"]) == (20, 0)
    scored = csv.DictReader(io.StringIO(aws.batch.get(f"scored/{result['batch']}.csv").body.decode()))
    assert [float(row["probability_yes"]) for row in scored] == pytest.approx(alone, abs=1e-6)


def test_a_record_that_prepare_refuses_is_told_why_and_its_value_is_not_repeated(aws: LocalAws) -> None:
    reply = aws.request("POST", "/predict", {"features": record(ROWS[0]) | {"cleaning_fee": "25 dollars"}})
    assert reply.status == 422, reply.text
    (error,) = reply.json["errors"]
    assert (error["field"], error["code"]) == ("", "not-prepared") or error["field"] == "features"
    assert "expected an amount such as $1,250.00" in error["reason"]
    assert "25 dollars" not in reply.text


def test_a_feature_out_of_range_is_told_as_made(aws: LocalAws) -> None:
    reply = aws.request("POST", "/predict", {"features": record(ROWS[0]) | {"host_response_rate": "850%"}})
    assert reply.status == 422, reply.text
    (error,) = reply.json["errors"]
    assert error["field"] == "host_response_rate"
    assert error["reason"] == "as prepare.py makes it, must be between 0 and 1"


def test_a_bad_row_of_a_file_costs_that_row(aws: LocalAws) -> None:
    bad = ROWS[1] | {"cleaning_fee": "25 dollars"}
    aws.put("incoming/bad.csv", csv_of([ROWS[0], bad, ROWS[2]]), aws.batch)
    result = aws.run("batch", aws.landed("incoming/bad.csv", aws.batch)).output
    assert (result["scored"], result["rejected"]) == (2, 1)


def test_an_explanation_speaks_of_features_and_a_schema_of_what_is_sent(aws: LocalAws) -> None:
    explained = aws.request("POST", "/explain", {"features": record(ROWS[0])}).json
    assert {"size_a_bed", "area"} <= {one["feature"] for one in explained["contributions"]}
    schema = aws.request("GET", "/schema").json
    assert "size_a_bed" not in schema["properties"]
    assert schema["properties"]["cleaning_fee"]["type"][0] == "string"
    (example,) = schema["examples"]
    assert aws.request("POST", "/predict", {"features": example}).status == 200


def test_a_release_of_other_code_is_refused_until_its_code_is_back(aws: LocalAws) -> None:
    aws.own_code(PREPARE.replace("nights >= 7", "nights >= 8"))
    try:
        reply = aws.request("POST", "/predict", {"features": record(ROWS[0])})
        assert reply.status == 503, reply.text
        assert "another prepare.py" in json.dumps(aws.request("GET", "/version").json)
        aws.put("incoming/late.csv", csv_of(ROWS[:2]), aws.batch)
        refused = aws.execute("batch", aws.landed("incoming/late.csv", aws.batch))
        assert "another prepare.py" in refused.cause
    finally:
        aws.own_code(PREPARE)
    assert aws.request("POST", "/predict", {"features": record(ROWS[0])}).status == 200


def test_a_release_is_proved_from_raw_records_to_probabilities_where_it_serves(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer, _ = read_pointer(aws.models, "listings")
    proof = Release.open(aws.models, champion(pointer).release).document(PROOF, Proof)
    assert len(proof.records) > 20
    assert set(proof.records[0]) <= {*ROWS[0]} - {*LABELS}
    assert {cells is None or cells.cells.keys() <= ROWS[0].keys() for cells in proof.cells} == {True}
    assert len(proof.cells) == len(proof.records)
    monkeypatch.setenv(PLANTED, "0.5")
    aws.own_code(PREPARE)
    assert aws.request("POST", "/predict", {"features": record(ROWS[0])}).status == 503
    refused = aws.request("GET", "/version").json["last_refusal"]["reason"]
    assert "the same record has another probability here than in training" in refused
    aws.put("incoming/planted.csv", csv_of(ROWS[:2]), aws.batch)
    assert aws.execute("batch", aws.landed("incoming/planted.csv", aws.batch)).status == "FAILED"
    monkeypatch.delenv(PLANTED)
    aws.own_code(PREPARE)
    assert aws.request("POST", "/predict", {"features": record(ROWS[0])}).status == 200


def test_a_fault_of_the_code_is_an_error_of_ours_that_names_its_place_in_the_log(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = aws.request("POST", "/predict", {"features": record(ROWS[0]) | {"amenities": "{fault}"}})
    assert (reply.status, reply.json["type"]) == (500, "urn:andamio:problem:internal")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line["event"] == "andamio.error"]
    place = PREPARE[: PREPARE.index('made["never made"]')].count("\n") + 1
    assert line["message"] == f"prepare.py, line {place}: KeyError (row 1 of those given, column 'never made')"
    assert "{fault}" not in json.dumps({**line, "traceback": ""})


def test_data_that_other_code_makes_are_another_version_and_training_says_so(aws: LocalAws) -> None:
    aws.own_code(PREPARE.replace("nights >= 7", "nights >= 8"))
    try:
        failed = aws.execute("train", LINEAR)
        assert "another contract" in failed.cause
        before = documents.read(aws.lake, layout.CURRENT_DATASET, CurrentDataset).version
        assert aws.run("etl").output["version"] != before
    finally:
        aws.own_code(PREPARE)
        aws.run("etl")


def test_a_prepare_that_looks_at_other_rows_ends_etl_with_the_column(aws: LocalAws) -> None:
    aws.own_code(PREPARE.replace('made["beds_squared"] = beds**2', 'made["beds_squared"] = beds - beds.mean() + 9'))
    try:
        message = aws.execute("etl").cause
        assert "'beds_squared'" in message
        assert "from its own row alone" in message
    finally:
        aws.own_code(PREPARE)
