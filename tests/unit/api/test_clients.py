"""Clients that are generated from the OpenAPI document, as other teams generate theirs, and make calls."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from andamio.contract import Contract
from tests.support.api import Api
from tests.support.gateway import KEY, gateway
from tests.support.releases import ROOT, serve
from tests.unit.api.conftest import LOAN, LOANS

pytestmark = pytest.mark.slow

CODED = """
[features.grade]
type = "category"
values = { 1 = "good", 2 = "middling", 3 = "bad" }
"""
NUMBERED = 'labels = { 0 = "Paid back", 1 = "Paid late", 2 = "Never paid" }'
FEATURES = LOAN | {"asked_at": "2026-03-31T10:00:00Z", "grade": 2}
"""A record of a contract with every type of feature, and with categories and labels that are numbers."""


def contract() -> Contract:
    named = 'labels = { paid = "Paid back", late = "Paid late", lost = "Never paid" }'
    assert named in LOANS
    text = LOANS.replace(named, NUMBERED) + CODED
    return Contract.from_toml(text).seal({"purpose": ["car", "study"], "name": ["Ada"]})


class Served:
    """An API that is served, its document in a file, and what it says of one record."""

    features = FEATURES

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.file = folder / "openapi.json"
        self.file.write_text(httpx.get(f"{address}/openapi.json").text)
        self.document = json.loads(self.file.read_text())
        self.expected = self.post("predict", {"features": self.features}).json()

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(f"{self.address}/{path}", json=body, headers={"x-api-key": KEY})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    api = Api(problem="loans")
    serve(api.objects, contract())
    with gateway(lambda event: api.gateway(event, SimpleNamespace(aws_request_id=""))) as address:
        yield Served(address, tmp_path_factory.mktemp("document"))


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def test_openapi_python_client(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = "loans_client"
    told = run(
        program("openapi-python-client"), "generate", "--meta", "none",
        *("--path", served.file, "--output-path", tmp_path / package),
        cwd=tmp_path,
    ).stderr  # fmt: skip
    # It knows no CSV, which is the one thing that it leaves out.
    assert (told.count("WARNING"), told.count("Unsupported content type text/csv")) == (1, 1), told
    operations = [operation for path in served.document["paths"].values() for operation in path.values()]
    modules = {path.stem for path in (tmp_path / package / "api").glob("*/*.py")} - {"__init__"}
    assert modules == {operation["operationId"] for operation in operations}

    monkeypatch.syspath_prepend(tmp_path)
    models = importlib.import_module(f"{package}.models")
    client = importlib.import_module(package).AuthenticatedClient(
        served.document["servers"][0]["url"], KEY, prefix="", auth_header_name="x-api-key"
    )

    def call(operation: str, **arguments: Any) -> Any:
        module = importlib.import_module(f"{package}.api.{operation}")
        return module.sync_detailed(client=client, **arguments)

    body = models.PredictRequest.from_dict({"features": served.features, "id": "visit-17"})
    prediction = call("predictions.predict_one_record", body=body).parsed
    assert isinstance(prediction, models.Prediction)
    assert prediction.probabilities.to_dict() == served.expected["probabilities"]
    assert prediction.record_id == "visit-17"

    several = models.BatchRequest.from_dict({"records": [{"features": served.features}] * 2})
    assert len(call("predictions.predict_up_to_1000_records", body=several).parsed.predictions) == 2

    rows = models.DataframeRecords.from_dict({"dataframe_records": [served.features]})
    (row,) = call("predictions.predict_in_mlflows_scoring_protocol", body=rows).parsed.predictions
    assert row.probabilities.to_dict() == served.expected["probabilities"]

    truth = {"prediction_id": prediction.prediction_id, "label": 1}
    assert prediction.audit is False
    assert call("feedback.send_true_labels", body=models.PredictionFeedback.from_dict(truth)).parsed.accepted == 1
    both = [models.PredictionFeedback.from_dict(truth), models.RecordFeedback.from_dict({"record_id": 7, "label": "2"})]
    assert call("feedback.send_true_labels", body=both).parsed.accepted == 2

    assert call("service.whether_a_model_is_loaded").parsed.status == "ok"
    assert call("model.which_release_serves").parsed.release == prediction.model.version
    wrong = call("predictions.look_up_a_prediction_by_its_id", prediction_id="f" * 32)
    assert isinstance(wrong.parsed, models.Problem)
    assert wrong.status_code == 404


def test_models_of_datamodel_code_generator(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "loans_models"
    run(
        program("datamodel-codegen"), "--input", served.file, "--input-file-type", "openapi",
        *("--output", tmp_path / f"{name}.py", "--output-model-type", "pydantic_v2.BaseModel"),
        *("--target-python-version", "3.13", "--formatters", "builtin"),
        cwd=tmp_path,
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    models = importlib.import_module(name)
    body = models.PredictRequest.model_validate({"features": served.features, "id": 17})
    reply = served.post("predict", body.model_dump(mode="json", exclude_unset=True))
    prediction = models.Prediction.model_validate_json(reply.text)
    assert prediction.model_dump(mode="json", by_alias=True)["probabilities"] == served.expected["probabilities"]
    truth = models.FeedbackRequest.model_validate([{"record_id": 17, "label": 2}])
    receipt = served.post("feedback", truth.model_dump(mode="json", exclude_unset=True))
    assert models.FeedbackReceipt.model_validate_json(receipt.text).accepted == 1
    wrong = served.post("predict", {"features": {}})
    assert models.Problem.model_validate_json(wrong.text).status == 422


SCRIPT = """
import createClient from "openapi-fetch";
import type { components, paths } from "./api.ts";

const [baseUrl, key, features] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { "x-api-key": key } });
const record: components["schemas"]["Features"] = JSON.parse(features);
const { data, error } = await client.POST("/predict", { body: { features: record, id: "visit-17" } });
if (data === undefined) throw new Error(error.detail);
const missing = await client.GET("/predictions/{prediction_id}", {
  params: { path: { prediction_id: "f".repeat(32) } },
});
const label: components["schemas"]["Label"] = data.label;
const kept = await client.POST("/feedback", {
  body: [{ prediction_id: data.prediction_id, label }, { record_id: "visit-17", label: 1 }],
});
const { probabilities } = data;
console.log(JSON.stringify({ label, probabilities, status: missing.error?.status, kept: kept.data?.accepted }));
"""
COMPILER = {
    "strict": True, "noEmit": True, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",
    "allowImportingTsExtensions": True, "lib": ["es2022", "dom"], "types": [], "typeRoots": [],
}  # fmt: skip


def test_typescript(served: Served, tmp_path: Path) -> None:
    node = program("node")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": COMPILER, "files": ["call.ts", "node.d.ts"]})
    )
    (tmp_path / "node.d.ts").write_text("declare const process: { argv: string[] };\n")
    (tmp_path / "call.ts").write_text(SCRIPT)
    packages = ROOT / "node_modules"
    run(node, packages / "openapi-typescript" / "bin" / "cli.js", served.file, "-o", "api.ts", cwd=tmp_path)
    run(node, packages / "typescript" / "bin" / "tsc", cwd=tmp_path)
    url = served.document["servers"][0]["url"]
    said = json.loads(run(node, "call.ts", url, KEY, json.dumps(served.features), cwd=tmp_path).stdout)
    assert said == {
        "label": served.expected["label"],
        "probabilities": served.expected["probabilities"],
        "status": 404,
        "kept": 2,
    }
