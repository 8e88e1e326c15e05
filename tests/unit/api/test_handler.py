"""The function as Lambda runs it: imports that cannot fail, settings at the first request, S3 behind it."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import botocore
import pytest
from moto import mock_aws

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.settings import ApiSettings
from tests.support.api import Api, event
from tests.support.releases import ROOT, heart, serve

HEAVY = {"boto3", "botocore", "pandas", "sklearn", "scipy", "mlflow", "onnx", "skl2onnx", "training", "requests"}


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_handler_imports_nothing_heavy_and_needs_no_environment() -> None:
    said = run("import sys, lambdas.api.handler; print(*{name.split('.')[0] for name in sys.modules})")
    assert set(said.split()).isdisjoint(HEAVY)


def test_importing_the_handler_imports_nothing_that_a_prediction_does_not_need() -> None:
    said = run("import sys, lambdas.api.handler; print(*sys.modules)").split()
    others = {
        "lambdas.api.batches",
        "lambdas.api.feedback",
        "lambdas.api.monitoring",
        "lambdas.api.predictions.lookup",
        "lambdas.api.openapi",
    }
    assert {"scoring.batch", "scoring.lookup", "andamio.adapters.dynamodb", *others}.isdisjoint(said)


def test_importing_the_handler_reads_and_writes_nothing() -> None:
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event.startswith('socket.') and event not in ('socket.__new__', 'socket.gethostname'):\n"
        "        sys.stderr.write(f'{event} {args}'); sys.exit(1)\n"
        "sys.addaudithook(watch)\n"
        "import lambdas.api.handler\n"
    )
    assert run(code) == ""


def test_without_settings_the_answer_names_no_variable_and_the_log_does() -> None:
    code = (
        "import json, lambdas.api.handler as h\n"
        "event = json.load(open('tests/events/api-predict.json'))\n"
        "ping = json.load(open('tests/events/api-ping.json'))\n"
        "print(json.dumps([h.handler(event, None), h.handler(ping, None)]))\n"
    )
    *logged, replies = run(code).splitlines()
    predicted, pinged = json.loads(replies)
    assert (predicted["statusCode"], pinged["statusCode"]) == (503, 503)
    assert json.loads(predicted["body"])["type"] == "urn:andamio:problem:settings"
    assert "ANDAMIO_MODELS" not in predicted["body"] + pinged["body"]
    assert "ANDAMIO_MODELS is not set" in logged[0]


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """An environment with a bucket, on moto's S3."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        said = ApiSettings(
            problem="heart",
            lake="lake",
            models="models",
            batch="batch",
            table="predictions",
            refresh_seconds=60,
            capture_share=1.0,
            audit_share=0.0,
            private=("oldpeak",),
        )
        for name, value in said.as_env().items():
            patch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for bucket in ("models", "batch"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        key = [{"AttributeName": "prediction_id", "AttributeType": "S"}]
        boto3.client("dynamodb").create_table(
            TableName="predictions",
            AttributeDefinitions=key,
            KeySchema=[{"AttributeName": "prediction_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield


@pytest.fixture
def handler(s3: None) -> Iterator[ModuleType]:
    """The handler as a new environment has it, over an empty bucket."""
    bucket = boto3.resource("s3").Bucket("models")
    bucket.objects.all().delete()
    loop = asyncio.new_event_loop()  # as in a new process: an earlier test may have left none
    asyncio.set_event_loop(loop)
    module = importlib.import_module("lambdas.api.handler")
    for made in (module.connect, module.stores):
        made.cache_clear()
    yield module
    for made in (module.connect, module.stores):
        made.cache_clear()
    asyncio.set_event_loop(None)
    loop.close()


def test_a_prediction_from_a_release_in_s3(handler: ModuleType) -> None:
    assert handler.handler(event("api-predict"), None)["statusCode"] == 503
    version = serve(S3Objects("models"), heart())
    handler.connect.cache_clear()
    reply = handler.handler(event("api-predict"), None)
    assert reply["statusCode"] == 200
    assert json.loads(reply["body"])["model"]["version"] == version


def test_a_runtime_whose_boto3_is_too_old_is_a_deployment_that_the_log_says_how_to_mend(
    handler: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(botocore, "__version__", "1.34.145")
    reply = handler.handler(event("api-predict"), None)
    said = json.loads(reply["body"])
    assert (reply["statusCode"], said["type"]) == (503, "urn:andamio:problem:settings")
    assert "need botocore 1.35.69 or newer. This is 1.34.145" in capsys.readouterr().out


def test_batches_and_predictions_are_those_of_the_deployed_bucket_and_table(handler: ModuleType) -> None:
    serve(S3Objects("models"), heart())

    def ask(method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        asked = {"resource": path, "path": path, "httpMethod": method, "body": body}
        reply = handler.handler(event("api-predict") | asked, None)
        return reply["statusCode"], json.loads(reply["body"])

    status, asked = ask("POST", "/batches", '{"name": "patients.csv"}')
    assert status == 201
    assert asked["upload"]["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert asked["upload"]["fields"]["key"] == f"incoming/{asked['batch']}/patients.csv"
    status, waiting = ask("GET", f"/batches/{asked['batch']}")
    assert (status, waiting["status"]) == (200, "waiting")
    item = {"label": "1", "label_text": "yes", "probabilities": {"1": 0.25}, "model": "heart", "model_version": "a"}
    prediction = item | {"prediction_id": f"{asked['batch']}-2", "created": "2026-11-21", "batch": "b", "line": 2}
    DynamoPredictionStore("predictions").put_all([prediction])
    status, found = ask("GET", f"/predictions/{prediction['prediction_id']}")
    assert (status, found["probabilities"], found["line"]) == (200, {"1": 0.25}, 2)
    assert ask("GET", f"/predictions/{asked['batch']}-3")[0] == 404


def test_a_restored_environment_looks_at_once(handler: ModuleType) -> None:
    objects = S3Objects("models")
    serve(objects, heart())
    handler.handler(event("api-ping"), None)
    assert handler.connect().loads == 1
    serve(objects, heart(), threshold=0.4)
    handler.after_restore()
    assert handler.connect().loads == 2


def test_a_restore_into_a_world_that_is_broken_does_not_fail(
    handler: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANDAMIO_MODELS")
    handler.after_restore()


def test_lambda_s_own_hook_is_used_where_there_is_one() -> None:
    code = (
        "import sys, types\n"
        "hooks = []\n"
        "sys.modules['snapshot_restore_py'] = types.SimpleNamespace(register_after_restore=hooks.append)\n"
        "import lambdas.api.handler as api\n"
        "assert hooks == [api.after_restore]\n"
    )
    assert run(code) == ""


NO_REQUESTS: list[Any] = [{}, {"source": "aws.events"}, {"version": "2.0", "requestContext": {"http": {}}}, [], None]


@pytest.mark.parametrize("other", NO_REQUESTS)
def test_an_event_of_another_kind_is_answered_and_not_raised(handler: ModuleType, other: Any) -> None:
    assert handler.handler(other, None)["statusCode"] == 400


@pytest.mark.parametrize("broken", [{"headers": 3}, {"path": 3}, {"httpMethod": None}, {"pathParameters": "a"}])
def test_an_event_that_is_broken_is_answered_and_not_raised(handler: ModuleType, broken: dict[str, Any]) -> None:
    reply = handler.handler(event("api-predict") | broken, None)
    assert reply["statusCode"] in (404, 405, 500)
    assert json.loads(reply["body"])["status"] == reply["statusCode"]


def test_what_depends_on_the_request_alone_is_called_without_fastapi_s_resolving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which takes a third of the time of a prediction."""
    api = Api()
    serve(api.objects, heart())
    assert api.get("/batches").status == 200

    def resolve(**_: Any) -> Any:
        raise AssertionError("resolved by FastAPI")

    monkeypatch.setattr("fastapi.routing.solve_dependencies", resolve)
    record = json.loads(event("api-predict")["body"])
    assert api.post("/predict", record).status == 200
    assert api.post("/predict/batch", {"records": [record]}).status == 200
    assert api.post("/invocations", {"instances": [record["features"]]}).status == 200
    assert api.post("/explain", record).status == 200
    assert api.get("/batches").status == 500, "it has a parameter of the query"


def test_a_cold_start_builds_no_validators_of_the_openapi_document() -> None:
    code = (
        "import lambdas.api.handler, fastapi.openapi.models as models, pydantic\n"
        "class Later(pydantic.BaseModel): pass\n"
        "print(models.OpenAPI.__pydantic_complete__, Later.__pydantic_complete__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False True\n"
