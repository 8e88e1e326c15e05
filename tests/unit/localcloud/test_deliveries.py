"""The lines of a log reach the function subscribed to it: one call at a time, each line, and again after a failure."""

from __future__ import annotations

import json
import runpy
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path
from queue import Queue
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from localstack.process import wait_until

from .conftest import REPO, CommandLine

pytestmark = pytest.mark.timeout(180)
PHRASE = "andamio.prediction"
# Each call writes one file, named by when it began and ended, with the lines that it got. The first one fails.
SOURCE = """
import base64, gzip, json, pathlib, time
def handler(event, context):
    began, folder = time.time_ns(), pathlib.Path({folder!r})
    if not (folder / "failed").exists():
        (folder / "failed").touch()
        raise RuntimeError("the first call")
    said = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    lines = [each["message"] for each in said["logEvents"]]
    time.sleep(0.3)
    part = folder / f"{{began}}-{{time.time_ns()}}.part"
    part.write_text(json.dumps(lines))
    part.rename(part.with_suffix(".json"))
"""


@pytest.fixture
def deliveries(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which is made for the emulator's own environment, beside a ministack with one log and no function."""
    for name in ("ministack", "ministack.core", "ministack.core.responses", "ministack.services"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["ministack.core.responses"].get_account_id = lambda: "000000000000"  # type: ignore[attr-defined]
    filters = {"f": {"destinationArn": "arn:aws:lambda:us-east-1:000000000000:function:keep", "filterPattern": ""}}
    sys.modules["ministack.services"].cloudwatch_logs = SimpleNamespace(  # type: ignore[attr-defined]
        _log_groups={"log": {"subscriptionFilters": filters}}, _subscription_pattern_matches=lambda *_: True
    )
    sys.modules["ministack.services"].lambda_svc = SimpleNamespace()  # type: ignore[attr-defined]
    return SimpleNamespace(**runpy.run_path(str(REPO / "localstack" / "deliveries.py")))


def test_lines_that_come_while_the_last_delivery_is_just_over_are_delivered(
    deliveries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: Queue[str] = Queue()
    over = Event()
    monkeypatch.setitem(
        deliveries.Deliveries.fan_out.__globals__,
        "_deliver",
        lambda waiting, stream, events: [came.put(event["message"]) for event in events],
    )
    each = deliveries.Deliveries()
    drain = each._drain
    first = Event()

    def lingering(waiting: Any) -> None:
        drain(waiting)
        if not first.is_set():
            first.set()
            over.wait(10)

    monkeypatch.setattr(each, "_drain", lingering)
    try:
        each.fan_out("log", "s", [{"timestamp": 1, "message": "one"}])
        assert came.get(timeout=10) == "one"
        assert first.wait(10)
        each.fan_out("log", "s", [{"timestamp": 2, "message": "two"}])
        assert came.get(timeout=10) == "two"
    finally:
        over.set()


def test_a_burst_of_lines_is_delivered_whole_one_call_at_a_time_and_again_after_a_failure(
    cloud: CommandLine, tmp_path: Path
) -> None:
    name = f"x{uuid.uuid4().hex[:12]}"
    function = cloud.create_function(name, SOURCE.format(folder=str(tmp_path)))
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    cloud.client("lambda").add_permission(
        FunctionName=name, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    logs.put_subscription_filter(
        logGroupName=name, filterName=name, filterPattern=f'"{PHRASE}"', destinationArn=function
    )
    sent = [json.dumps({"event": PHRASE, "number": number}) for number in range(60)]
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    for line in sent:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line}, {"timestamp": now, "message": "another line"}]
        logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)

    def came() -> list[str]:
        return [line for file in sorted(tmp_path.glob("*.json")) for line in json.loads(file.read_text())]

    assert wait_until(lambda: len(came()) >= len(sent), 60)
    assert came() == sent, "each line once, in its order"
    calls = sorted(tuple(map(int, file.stem.split("-"))) for file in tmp_path.glob("*.json"))
    assert len(calls) < len(sent), "one call takes what has come since the last one"
    assert all(ended <= began for (_, ended), (began, _) in pairwise(calls))
