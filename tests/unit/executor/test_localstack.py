"""The executor inside LocalStack, as its clients see it."""

from __future__ import annotations

import io
import json
import signal
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localstack.home import Home
from localstack.opencore import LOCALSTACK, OpenCore
from localstack.ports import claim
from localstack.process import Identity, wait_until

pytestmark = pytest.mark.cloud

HANDLER = """
import os, time
import layered
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print(f"call {calls} of {event}")
    if event.get("exit"):
        os._exit(1)
    if "folder" in event:
        open(f"{event['folder']}/{os.getpid()}", "w").close()
        while len(os.listdir(event["folder"])) < event["meet"]:
            time.sleep(0.01)
    return {"calls": calls, "pid": os.getpid(), "layer": layered.name, "text": "x" * event.get("size", 0)}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenCore, Identity]]:
    home = Home(tmp_path_factory.mktemp("localstack"))
    home.scratch.mkdir()
    LOCALSTACK.install(print)
    port = claim(0)
    server = OpenCore(home, port.port, at_once=100)
    identity = server.start(port)
    port.close()
    try:
        server.wait(identity, 120)
        yield server, identity
    finally:
        server.stop(identity)


def client(server: OpenCore, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=50, retries={"max_attempts": 0}),
    )


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def functions(running: tuple[OpenCore, Identity]) -> Any:
    functions = client(running[0], "lambda")
    layer = functions.publish_layer_version(LayerName="layer", Content={"ZipFile": zipped(python__layered="name = 1")})
    create(functions, "function", HANDLER, Timeout=60, Layers=[layer["LayerVersionArn"]])
    return functions


def create(functions: Any, name: str, source: str, **more: object) -> None:
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="main.handler",
        Role="arn:aws:iam::000000000000:role/function",
        Code={"ZipFile": zipped(main=source)},
        **more,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)


def invoke(functions: Any, name: str = "function", **event: object) -> dict[str, Any]:
    return functions.invoke(FunctionName=name, Payload=json.dumps(event))


def read(reply: dict[str, Any]) -> Any:
    return json.loads(reply["Payload"].read())


def test_a_function_runs_with_its_layer_and_stays_warm(functions: Any) -> None:
    first, second = read(invoke(functions)), read(invoke(functions))
    assert first["layer"] == 1
    assert (second["pid"], second["calls"]) == (first["pid"], first["calls"] + 1)


def test_forty_calls_run_at_once(functions: Any, tmp_path: Path) -> None:
    """Each call waits until all forty run, so that they would never end one after the other."""
    with ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda _: read(invoke(functions, folder=str(tmp_path), meet=40)), range(40)))
    assert len({reply["pid"] for reply in replies}) == 40


def test_a_crash_is_the_calls_error_and_the_next_call_runs(functions: Any) -> None:
    reply = invoke(functions, exit=True)
    assert reply["FunctionError"] == "Unhandled"
    assert read(reply)["errorType"] == "Runtime.ExitError"
    assert read(invoke(functions))["calls"] >= 1


def test_six_megabytes_come_back(functions: Any) -> None:
    size = 6 * 1024 * 1024 - 200
    assert len(read(invoke(functions, size=size))["text"]) == size
    assert read(invoke(functions, size=size + 1000))["errorType"] == "Function.ResponseSizeTooLarge"


def test_six_megabytes_arrive_and_more_are_refused_in_the_words_of_aws(functions: Any) -> None:
    largest = 6 * 1024 * 1024
    event = json.dumps({"text": ""})
    assert read(
        functions.invoke(FunctionName="function", Payload=event.replace('""', f'"{"x" * (largest - len(event))}"'))
    )
    with pytest.raises(ClientError, match="Request must be smaller than 6291456 bytes") as refused:
        functions.invoke(FunctionName="function", Payload=json.dumps("x" * (largest - 1)))
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert read(invoke(functions))["calls"] >= 1


def test_a_call_that_takes_too_long_is_an_error_and_the_next_one_runs_in_another_process(functions: Any) -> None:
    source = """
import os, time
def handler(seconds, context):
    time.sleep(seconds)
    return os.getpid()
"""
    create(functions, "short", source, Timeout=3)
    first = read(functions.invoke(FunctionName="short", Payload="0"))
    late = functions.invoke(FunctionName="short", Payload="600")
    assert late["FunctionError"] == "Unhandled"
    failed = read(late)
    assert failed["errorType"] == "Sandbox.Timedout"
    assert failed["errorMessage"].endswith("Task timed out after 3.00 seconds")
    assert read(functions.invoke(FunctionName="short", Payload="0")) != first


def test_a_module_that_cannot_be_imported_is_the_error_of_every_call(functions: Any) -> None:
    create(functions, "broken", "import nowhere")
    for _ in range(2):
        failed = read(invoke(functions, "broken"))
        assert failed["errorType"] == "Runtime.ImportModuleError"
        assert "No module named 'nowhere'" in failed["errorMessage"]


def test_the_log_arrives_in_cloudwatch(running: tuple[OpenCore, Identity], functions: Any) -> None:
    logs = client(running[0], "logs")
    invoke(functions, marker="in the log")

    def messages() -> list[str]:
        found = logs.filter_log_events(logGroupName="/aws/lambda/function")
        return [event["message"] for event in found["events"]]

    assert wait_until(lambda: any("in the log" in message for message in messages()), 30)
    assert {"START", "END", "REPORT"} <= {message.split()[0] for message in messages()}


def test_a_function_of_another_python_is_refused_with_a_reason(functions: Any) -> None:
    functions.create_function(
        FunctionName="older",
        Runtime="python3.12",
        Handler="main.handler",
        Role="arn:aws:iam::000000000000:role/function",
        Code={"ZipFile": zipped(main=HANDLER)},
    )

    def reason() -> str:
        return functions.get_function_configuration(FunctionName="older").get("StateReason", "")

    assert wait_until(lambda: "python3.13" in reason(), 30), reason()


def test_nothing_outlives_a_localstack_that_is_killed(
    running: tuple[OpenCore, Identity], functions: Any, tmp_path: Path
) -> None:
    """The last one: there is no LocalStack after it."""
    server, identity = running
    process = psutil.Process(identity.pid)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(invoke, functions, folder=str(tmp_path), meet=2)
        assert wait_until(lambda: any(tmp_path.iterdir()), 30)
        children = process.children(recursive=True)
        assert int(next(tmp_path.iterdir()).name) in {child.pid for child in children}
        process.send_signal(signal.SIGKILL)
        assert wait_until(lambda: not any(alive(child) for child in children), 30)
        assert call.exception() is not None
    assert list(server.home.scratch.glob("localstack-functions-*")) == []


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
