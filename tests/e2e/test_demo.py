"""`make demo`: from nothing to a served prediction, and everything that a person finds afterwards."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import subprocess
import time

import httpx
import pytest

from andamio.storage import layout

from .conftest import COURSE, HEART, Clone, Deployed, Done, gap_of_localstack

pytestmark = pytest.mark.e2e


def manifests(heart: Deployed) -> set[str]:
    """The releases that are sealed."""
    return {item.key for item in heart.bucket("models").list("releases/") if item.key.endswith("manifest.json")}


def test_the_demo_ends_with_a_prediction_and_what_to_try_next(demo: Done, heart: Deployed) -> None:
    assert "prediction_id" in demo.out
    assert heart.outputs["api_url"] in demo.out
    assert heart.outputs["api_key"] in demo.out
    assert heart.outputs["mlflow_url"] in demo.out


def test_the_demo_scores_a_file_and_looks_one_of_its_predictions_up(demo: Done, heart: Deployed) -> None:
    found = re.search(r"batch (\S+), line 2", demo.out)
    assert found is not None
    batch = heart.request("GET", f"/batches/{found[1]}").json()
    assert (batch["status"], batch["rows"], batch["scored"]) == ("done", 303, 303)
    assert "rows" in demo.out
    assert f"{batch['batch']}-2" in demo.out


def test_the_curl_line_works_when_pasted(demo: Done) -> None:
    line = next(line.strip() for line in demo.out.splitlines() if line.strip().startswith("curl "))
    if shutil.which("curl"):
        reply = json.loads(subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout)
    else:  # the machine has no curl: the same words, sent by hand
        words = shlex.split(line)
        headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
        reply = httpx.post(words[2], headers=headers, content=words[words.index("-d") + 1], timeout=60).json()
    assert reply["label_text"] in ("Healthy patient", "Heart disease detected")


def test_the_courses_request_works_as_it_is(heart: Deployed) -> None:
    reply = heart.request("POST", "/predict", json=COURSE)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["label_text"] == "Heart disease detected"
    assert body["label"] == "1"
    assert sum(body["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert body["model"]["name"] == "heart"


def test_outputs_are_there_for_programs(clone: Clone, heart: Deployed) -> None:
    outputs = clone.file("outputs.json")
    assert json.loads(clone.ok("outputs", "--json").out) == outputs
    assert outputs["problem"] == "heart"
    assert outputs["emulator"] is True
    assert set(outputs["buckets"]) == {"lake", "models", "batch"}
    assert set(outputs["state_machines"]) == {"etl", "train", "batch", "monitor", "rollout"}
    wanted = {
        "stack",
        "endpoint_url",
        "region",
        "api_url",
        "api_key",
        "mlflow_url",
        "predictions_table",
        "alerts_topic",
        "batch_topic",
    }
    assert all(outputs[key] for key in wanted)


def test_without_the_key_only_the_open_pages_answer(heart: Deployed) -> None:
    assert heart.request("POST", "/predict", key=False, json=COURSE).status_code == 403
    assert heart.request("GET", "/model", key=False).status_code == 403
    for path in ("/ping", "/docs", "/openapi.json"):
        assert heart.request("GET", path, key=False).status_code == 200, path


@gap_of_localstack("LocalStack sends its own body, without the headers of the stack")
def test_a_refusal_of_the_gateway_is_a_problem_that_a_page_can_read(heart: Deployed) -> None:
    refused = heart.request("POST", "/predict", key=False, json=COURSE)
    assert refused.status_code == refused.json()["status"] == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["access-control-allow-origin"] == "*", "a page must be able to read why"


def test_the_docs_page_works_offline_under_the_stage_prefix(heart: Deployed) -> None:
    page = heart.request("GET", "/docs", key=False).text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    for link in (link for link in links if not link.startswith("data:")):
        url = httpx.URL(heart.outputs["api_url"] + "/docs").join(link)
        assert str(url).startswith(heart.outputs["api_url"]), f"{link} leaves the API"
        assert httpx.get(url, timeout=60).status_code == 200, link
    described = heart.request("GET", "/openapi.json", key=False).json()
    assert "Serum cholesterol" in json.dumps(described)


def test_mlflow_shows_the_run_its_trials_the_data_and_the_champion(heart: Deployed) -> None:
    experiment = heart.mlflow("experiments/get-by-name", experiment_name="heart")["experiment"]
    assert experiment["artifact_location"].startswith(f"s3://{heart.outputs['buckets']['models']}/mlflow")
    ids = [experiment["experiment_id"]]
    runs = heart.mlflow("runs/search", {"experiment_ids": ids, "max_results": 500})["runs"]
    nested = [run for run in runs if any(tag["key"] == "mlflow.parentRunId" for tag in run["data"]["tags"])]
    parent = min((run for run in runs if run not in nested), key=lambda run: run["info"]["start_time"])
    of_parent = {"key": "mlflow.parentRunId", "value": parent["info"]["run_id"]}
    nested = [run for run in nested if of_parent in run["data"]["tags"]]
    assert len(nested) == 12 + 1, "twelve trials, and the majority class"
    assert parent["inputs"]["dataset_inputs"], "the data set is no input of the run"
    areas = {metric["key"]: metric["value"] for metric in parent["data"]["metrics"]}
    cross_validated = max(value for key, value in areas.items() if "cv" in key)
    assert cross_validated >= 0.88
    champion = heart.mlflow("registered-models/alias", name="heart", alias="champion")["model_version"]
    assert champion["run_id"] == parent["info"]["run_id"]


def test_mlflow_reads_the_logged_model_back(heart: Deployed) -> None:
    champion = heart.mlflow("registered-models/alias", name="heart", alias="champion")["model_version"]
    listed = heart.mlflow("artifacts/list", run_id=champion["run_id"])
    assert listed["files"], "the page would show no artifacts"


def test_the_model_card_is_served_and_says_how_good_the_model_is(clone: Clone, heart: Deployed) -> None:
    assert heart.request("GET", "/model/card", key=False).status_code == 403
    page = heart.request("GET", "/model/card")
    assert page.status_code == 200, page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    markdown = heart.request("GET", "/model/card?format=md").text
    figure = heart.request("GET", "/model").json()["metrics"]["roc_auc"]
    for said in (page.text, markdown):
        assert f"{figure['value']:.3f} (95% interval {figure['low']:.3f} to {figure['high']:.3f})" in said
        assert "Heart disease: model card" in said
    assert clone.ok("card").out == markdown


def test_status_and_models_fit_on_a_screen_and_say_how_good_it_is(clone: Clone, heart: Deployed) -> None:
    status = clone.ok("status").out
    models = clone.ok("models").out
    model = heart.request("GET", "/model").json()
    for said in (status, models):
        assert model["version"] in said
        assert "roc_auc" in said
        assert re.search(r"0\.\d{3} \(0\.\d{3} to [01]\.\d{3}\)", said), "the figure comes with its interval"
    assert len(status.splitlines()) <= 40


def test_predict_answers_from_pairs_and_from_standard_input(clone: Clone, heart: Deployed) -> None:
    pairs = [part for name, value in COURSE["features"].items() for part in ("--set", f"{name}={value}")]
    assert "Heart disease detected" in clone.ok("predict", *pairs).out
    assert "Heart disease detected" in clone.ok("predict", stdin=json.dumps(COURSE)).out
    wrong = clone.run("predict", "--set", "age=old", "--set", "sex=1", "--set", "cp=4")
    assert wrong.code == 1
    assert "age: expected a number" in wrong.err
    assert "Traceback" not in wrong.said


def test_explain_says_why_and_its_numbers_add_up(clone: Clone, heart: Deployed) -> None:
    reply = heart.request("POST", "/explain", json=COURSE)
    assert reply.status_code == 200, reply.text
    body, predicted = reply.json(), heart.request("POST", "/predict", json=COURSE).json()
    assert body["probability"] == pytest.approx(predicted["probabilities"]["1"], abs=1e-6)
    contributions = {item["feature"]: item["contribution"] for item in body["contributions"]}
    assert set(contributions) == set(COURSE["features"])
    assert sum(contributions.values()) == pytest.approx(body["probability"] - body["average"], abs=1e-3)
    assert heart.request("POST", "/explain", json=COURSE).json() == body
    assert heart.request("POST", "/explain", key=False, json=COURSE).status_code == 403
    said = clone.ok("explain", stdin=json.dumps(COURSE)).out
    assert f"{body['average']:.1%}" in said
    assert all(feature in said for feature in contributions)


def test_a_prediction_is_captured_and_found_by_its_id(clone: Clone, heart: Deployed) -> None:
    """By way of the log: no call of the API waits for it."""
    made = heart.request("POST", "/predict", json=COURSE).json()
    path, patience = f"/predictions/{made['prediction_id']}", time.monotonic() + 120
    while (found := heart.request("GET", path)).status_code == 404 and time.monotonic() < patience:
        time.sleep(0.2)
    assert found.status_code == 200, found.text
    assert (found.json()["label"], found.json()["probabilities"]) == (made["label"], made["probabilities"])
    lake = heart.bucket("lake")
    parts = [gzip.decompress(lake.get(info.key).body) for info in lake.list(layout.CAPTURES) if "/part-" in info.key]
    assert any(made["prediction_id"].encode() in part for part in parts)


def test_a_second_demo_starts_nothing_and_changes_nothing(clone: Clone, heart: Deployed) -> None:
    before = (len(heart.executions("etl")), len(heart.executions("train")))
    assert "scored by the same model before" in clone.ok("demo", "--short").err
    assert (len(heart.executions("etl")), len(heart.executions("train"))) == before


def test_a_second_training_ties_and_leaves_the_champion(clone: Clone, heart: Deployed) -> None:
    before, sealed = heart.request("GET", "/version").json(), manifests(heart)
    said = clone.ok("train").said
    latest = max(heart.executions("train"), key=lambda execution: execution.started)
    assert latest.output["status"] == "tied"
    assert "equals the champion" in said
    assert heart.request("GET", "/version").json()["release"] == before["release"]
    assert manifests(heart) == sealed, "a tie seals no release"


def test_logs_show_one_line_a_prediction_and_no_secret(clone: Clone, heart: Deployed) -> None:
    reply = heart.request("POST", "/predict", json={**COURSE, "id": "visit-17"}).json()
    said = clone.ok("logs", "api").out
    (line,) = [line for line in said.splitlines() if reply["prediction_id"] in line]
    logged = json.loads(line[line.index("{") :])
    assert logged["event"] == "andamio.prediction"
    assert logged["record_id"] == "visit-17"
    assert logged["features"]["age"] == 67
    assert heart.outputs["api_key"] not in said


def test_the_shipped_data_are_untouched() -> None:
    assert len((HEART / "heart.csv").read_text().splitlines()) == 304
