"""A burst of requests to an API is queued: it starts one process, none is refused, and a long one delays no other."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from .conftest import CommandLine

pytestmark = pytest.mark.timeout(300)
CLIENTS = 32
# Slow to start, as a real one is, so that all requests are there before the first process is ready.
SOURCE = """
import json, os, time
time.sleep(0.5)
def handler(event, context):
    print("called")
    while (file := (event["queryStringParameters"] or {}).get("until")) and not os.path.exists(file):
        time.sleep(0.01)
    return {"statusCode": 200, "body": json.dumps(os.getpid())}
"""


@pytest.fixture
def url(cloud: CommandLine) -> str:
    """The address of an API whose every path is answered by one function, which has never run."""
    name = f"x{uuid.uuid4().hex[:12]}"
    function = cloud.create_function(name, SOURCE)
    cloud.client("lambda").update_function_configuration(FunctionName=name, Timeout=240)
    client = cloud.client("apigateway")
    api = client.create_rest_api(name=name)
    root = client.get_resources(restApiId=api["id"])["items"][0]["id"]
    where = {"restApiId": api["id"], "resourceId": root, "httpMethod": "GET"}
    client.put_method(**where, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    client.create_deployment(restApiId=api["id"], stageName="v1")
    endpoint = json.loads((cloud.home / "cloud.json").read_text())["endpoint_url"]
    return f"{endpoint}/restapis/{api['id']}/v1/_user_request_/"


def burst(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The replies to as many requests at once as there are clients."""
    barrier = Barrier(CLIENTS)

    def one(_: int) -> httpx.Response:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(one, range(CLIENTS)))


def test_thirty_two_cold_requests_at_once_are_all_answered_by_one_process(url: str) -> None:
    replies = burst(lambda: httpx.get(url, timeout=60))
    assert [reply.status_code for reply in replies] == [200] * CLIENTS
    assert len({reply.json() for reply in replies}) == 1


def test_a_request_that_takes_long_delays_no_other(url: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = httpx.get(url, timeout=60).json()
    with ThreadPoolExecutor(1) as client:
        long = client.submit(httpx.get, url, params={"until": str(go)}, timeout=240)
        try:
            answered = {first}
            while len(answered) == 1 and not long.done():
                answered.add(
                    httpx.get(url, timeout=60).json()
                )  # by the first process, where it came before the long one
            for _ in range(CLIENTS):
                httpx.get(url, timeout=60).raise_for_status()
            assert not long.done()
        finally:
            go.touch()
        assert long.result().json() == first
