"""Batches over HTTP: a form to upload with, how far it is, links to what came of it."""

from __future__ import annotations

import json
import shlex
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.storage import layout
from scoring.batch import ID, Shard
from tests.support.api import Api
from tests.support.batches import BATCH, CREATED, KEY, OTHER, a_plan, put_cut, put_done, put_shard, put_state
from tests.unit.api.test_openapi import validator

URN = "urn:andamio:problem:"


def described(api: Api, schema: str, body: Any) -> None:
    """The body is what the OpenAPI document says."""
    validator(api.get("/openapi.json").json, schema).validate(body)


def test_asking_for_an_upload_gives_an_id_and_a_form_for_one_key(api: Api) -> None:
    answer = api.post("/batches", {"name": "patients.csv"})
    assert answer.status == 201
    body = answer.json
    described(api, "Upload", body)
    assert ID.fullmatch(body["batch"])
    assert body["batch"].startswith(api.clock.now().strftime("%Y%m%dT%H%M%S"))
    assert body["upload"]["fields"]["key"] == f"incoming/{body['batch']}/patients.csv"
    assert body["upload"]["fields"]["policy"] == f"900 s, at most {5 * 2**30}"
    assert body["expires"] == (api.clock.now() + timedelta(minutes=15)).isoformat()
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["Ventas de Córdoba.csv", "größe.csv", "Ventas de Co\u0301rdoba.csv"])
def test_a_name_may_hold_accents_and_spaces(api: Api, name: str) -> None:
    body = api.post("/batches", {"name": name}).json
    composed = unicodedata.normalize("NFC", name)
    assert body["upload"]["fields"]["key"] == f"incoming/{body['batch']}/{composed}"
    assert shlex.split(body["curl"])[-2] == f"file=@{composed}"


def test_the_curl_line_sends_the_form_and_then_the_file(api: Api) -> None:
    body = api.post("/batches", {"name": "C:\\data\\my patients.csv.gz"}).json
    words = shlex.split(body["curl"])
    fields = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--form-string")
    assert fields == body["upload"]["fields"]
    assert words[-2:] == ["file=@my patients.csv.gz", body["upload"]["url"]]
    assert words.index("-F") > max(at for at, word in enumerate(words) if word == "--form-string")


def test_until_the_file_comes_it_waits_and_then_it_has_failed(api: Api) -> None:
    batch = api.post("/batches", {"name": "patients.csv"}).json["batch"]
    waiting = api.get(f"/batches/{batch}").json
    described(api, "BatchWithLinks", waiting)
    assert waiting["status"] == "waiting"
    assert waiting["links"] == {"scored": None, "parts": [], "rejected": [], "manifest": None}
    api.clock.move(2 * 3600)
    assert api.get(f"/batches/{batch}").json["status"] == "failed"


WRONG_NAMES: dict[str, Any] = {
    "no name at all": "",
    "a number": 3,
    "null": None,
    "a list": ["patients.csv"],
    "no ending": "patients",
    "another ending": "patients.xlsx",
    "a folder": "patients.csv/",
    "a packed Parquet file": "patients.parquet.gz",
    "a currency sign": "10€.csv",
    "a line break": "a\n.csv",
    "a quote": 'a".csv',
    "too long": "x" * 125 + ".csv",
    "an ending alone": ".csv",
}


@pytest.mark.parametrize("name", WRONG_NAMES.values(), ids=WRONG_NAMES.keys())
def test_a_name_that_cannot_be_scored_is_told_what_is_expected(api: Api, name: Any) -> None:
    answer = api.post("/batches", {"name": name})
    assert answer.status == 422
    (error,) = answer.json["errors"]
    assert error["field"] == "name"
    assert "CSV (.csv, .tsv)" in error["reason"]
    assert len(str(name)) < 5 or str(name) not in answer.text
    assert api.batch.writes == []


@pytest.mark.parametrize("body", [[], "patients.csv", {}, {"file": "patients.csv"}, {"name": "a.csv", "size": 3}])
def test_a_body_of_another_shape_is_told_what_is_expected(api: Api, body: Any) -> None:
    answer = api.post("/batches", json.dumps(body))
    assert (answer.status, answer.json["type"]) == (422, URN + "invalid-request")
    assert "name" in answer.text


def test_without_a_model_no_upload_is_offered() -> None:
    api = Api()
    answer = api.post("/batches", {"name": "patients.csv"})
    assert (answer.status, answer.json["type"]) == (503, URN + "not-ready")
    assert api.batch.writes == []


def test_a_batch_under_way_says_how_many_shards_are_done(api: Api) -> None:
    plan = a_plan()
    put_state(api.batch)
    put_cut(api.batch, plan, 2, 10, 20)
    put_shard(api.batch, plan, Shard(1, 0, 0, 10), {10: (0.5, 0.5)})
    body = api.get(f"/batches/{BATCH}").json
    described(api, "BatchWithLinks", body)
    assert (body["status"], body["step"]) == ("running", "scoring")
    assert body["shards"] == {"done": 1, "all": 3}
    assert body["model"] == {"name": "heart", "version": plan.release}
    assert (body["file"], body["created"]) == (KEY, CREATED)


def test_a_batch_under_way_says_when_it_last_made_progress_and_not_for_ever_that_it_runs(api: Api) -> None:
    api.clock.time = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)  # objects in memory are of 2026-01-01, a second apart
    put_state(api.batch, since=api.clock.time.isoformat())
    put_cut(api.batch, a_plan(), 2, 10, 20)
    api.clock.move(14 * 60)
    body = api.get(f"/batches/{BATCH}").json
    assert (body["status"], body["reason"]) == ("running", None)
    assert body["last_progress"] == "2025-12-31T23:30:00+00:00", "when it was claimed"

    put_shard(api.batch, a_plan(), Shard(1, 0, 0, 10), {10: (0.5, 0.5)})
    api.clock.move(30 * 60)
    body = api.get(f"/batches/{BATCH}").json
    assert (body["status"], body["reason"]) == ("running", None), "a shard came since"
    assert body["last_progress"].startswith("2026-01-01T00:00:0")

    api.clock.move(5 * 60)
    body = api.get(f"/batches/{BATCH}").json
    described(api, "BatchWithLinks", body)
    assert (body["status"], body["step"]) == ("running", "scoring")
    assert body["reason"].startswith("No progress for 18 minutes")
    assert body["reason"].endswith(f"andamio batch --resume {BATCH}")

    api.clock.move(2 * 60 * 60)
    body = api.get(f"/batches/{BATCH}").json
    described(api, "BatchWithLinks", body)
    assert (body["status"], body["step"], body["last_progress"][:10]) == ("failed", None, "2026-01-01")
    assert body["shards"] == {"done": 1, "all": 3}
    assert f"andamio batch --resume {BATCH}" in body["reason"]


def test_a_batch_whose_documents_cannot_be_read_does_not_hide_the_others(api: Api) -> None:
    put_state(api.batch)
    put_state(api.batch, OTHER)
    api.batch.put(layout.batch(OTHER, "plan.json"), b"{}")
    answer = api.get("/batches")
    described(api, "Batches", answer.json)
    readable, unreadable = answer.json["batches"]
    assert (readable["batch"], readable["status"]) == (BATCH, "running")
    assert (unreadable["batch"], unreadable["status"]) == (OTHER, "failed")
    assert unreadable["created"] == CREATED
    assert "plan.json" in unreadable["reason"]
    api.batch.put(layout.batch(OTHER, "state.json"), b"{}")
    _, unreadable = api.get("/batches").json["batches"]
    assert (unreadable["status"], unreadable["created"]) == ("failed", "2026-11-20T10:00:00+00:00")
    assert "state.json" in unreadable["reason"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"status": "running"}, "batches/"),
        ({"status": "failed", "reason": "1 part could not be scored."}, "1 part could not be scored. batches/"),
    ],
)
def test_a_batch_of_an_earlier_format_is_answered_with_its_state(api: Api, state: dict[str, Any], reason: str) -> None:
    put_state(api.batch, **state)
    put_cut(api.batch, a_plan(), 2, 10)
    plan = json.loads(a_plan().to_json()) | {"format": 1}
    api.batch.put(layout.batch(BATCH, "plan.json"), json.dumps(plan).encode())
    answer = api.get(f"/batches/{BATCH}")
    described(api, "BatchWithLinks", answer.json)
    assert answer.status == 200
    assert (answer.json["status"], answer.json["shards"], answer.json["file"]) == ("failed", None, KEY)
    assert answer.json["reason"].startswith(reason)
    assert "plan.json: format" in answer.json["reason"]


def test_a_batch_that_is_done_links_to_its_results(api: Api) -> None:
    parts = [layout.scored_part(BATCH, number, "csv") for number in range(120)]
    put_done(api.batch, a_plan(), parts)
    body = api.get(f"/batches/{BATCH}").json
    described(api, "BatchWithLinks", body)
    assert (body["status"], body["rows"], body["scored"], body["rejected"]) == ("done", 3, 2, 1)
    links = body["links"]
    assert links["scored"] is None
    assert len(links["parts"]) == 100
    assert f"/{parts[0]}?seconds=900" in links["parts"][0]
    assert links["parts"][0].endswith(f"name=scored-{BATCH}-part-00000.csv")
    assert layout.batch_manifest(BATCH) in links["manifest"]
    assert layout.rejected_part(BATCH, 0) in links["rejected"][0]


def test_the_same_file_again_is_answered_with_the_first_one_s_results(api: Api) -> None:
    put_done(api.batch, a_plan(batch=OTHER), [layout.scored_part(OTHER, 0, "csv")])
    put_state(api.batch, status="done", same_as=OTHER)
    body = api.get(f"/batches/{BATCH}").json
    assert (body["batch"], body["same_as"], body["scored"]) == (BATCH, OTHER, 2)
    assert layout.scored_part(OTHER, 0, "csv") in body["links"]["parts"][0]


def test_why_a_batch_failed_is_said(api: Api) -> None:
    put_state(api.batch, status="failed", reason="It lacks the column 'cp'.")
    body = api.get(f"/batches/{BATCH}").json
    described(api, "BatchWithLinks", body)
    assert (body["status"], body["reason"]) == ("failed", "It lacks the column 'cp'.")


def test_a_batch_of_which_every_row_is_rejected_failed_and_its_rejects_can_be_read(api: Api) -> None:
    plan = a_plan()
    put_cut(api.batch, plan, 2)
    put_shard(api.batch, plan, Shard(0, 0, 0, 2), {}, {2: "age: expected a number", 3: "age: expected a number"})
    put_state(api.batch, status="failed", reason="It holds no row that can be scored.", rejected=2)
    put_state(api.batch, OTHER, status="failed", reason="Scored before.", rejected=2, same_as=BATCH)
    for batch in (BATCH, OTHER):
        body = api.get(f"/batches/{batch}").json
        described(api, "BatchWithLinks", body)
        assert (body["status"], body["rows"], body["scored"], body["rejected"]) == ("failed", 2, 0, 2)
        assert layout.rejected_part(BATCH, 0) in body["links"]["rejected"][0]


def test_an_unknown_batch_is_a_404_and_what_is_no_id_a_422(api: Api) -> None:
    assert api.get(f"/batches/{BATCH}").status == 404
    for text in ("x", BATCH + "0", BATCH[:-1] + "G", "..", "incoming", BATCH.replace("T", " ")):
        answer = api.get(f"/batches/{text}")
        assert (answer.status, answer.json["errors"][0]["field"]) == (422, "batch")
        assert "20261121T100000-0123456789ab" in answer.json["errors"][0]["reason"]


def test_recent_batches_are_listed_newest_first(api: Api) -> None:
    put_state(api.batch, OTHER, status="failed", reason="no")
    put_state(api.batch, BATCH)
    body = api.get("/batches").json
    described(api, "Batches", body)
    assert [batch["batch"] for batch in body["batches"]] == [BATCH, OTHER]
    assert [batch["batch"] for batch in api.get("/batches", limit="1").json["batches"]] == [BATCH]
    assert "links" not in body["batches"][0]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "ten", "", "٣", "1e1", "9" * 5000])
def test_a_limit_is_a_whole_number_up_to_a_hundred(api: Api, limit: str) -> None:
    for path, more in (("/batches", {}), ("/predictions", {"record_id": "a"})):
        answer = api.get(path, **more, limit=limit)
        assert answer.status == 422
        assert answer.json["errors"] == [{"field": "limit", "reason": "expected a whole number from 1 to 100"}]
