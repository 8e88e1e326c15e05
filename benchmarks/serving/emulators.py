"""What a deploy, a call of a function and a burst of requests take on each emulator, and what it weighs.

    .venv/bin/python -m benchmarks.serving.emulators [--rounds 3] [--deploys 1]

The two are measured in turn, so that a busy machine slows both alike: what counts is LocalStack's figure against
ministack's of the same round. Calls are those of a function that returns its event, on an emulator that runs a
hundred at once; the deploy and the bursts are those of heart's stack, on a local cloud as `andamio up` starts it.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier
from time import perf_counter, sleep
from typing import Any, Literal

import boto3
import httpx
import psutil
from botocore.config import Config

from andamio.names import FUNCTIONS
from benchmarks.serving.api import PATIENT
from benchmarks.serving.burst import CLIENTS, cool, deploy, local_cloud
from infra.bundling import build_all
from localstack.emulator import MINISTACK, Emulator
from localstack.home import Home
from localstack.opencore import LOCALSTACK, OpenCore
from localstack.ports import claim

EMULATORS = ("ministack", "localstack")
CALLS, PARALLEL, AT_ONCE = 300, 40, 100
BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.GATEWAY_TIMEOUT)
AGAIN_SECONDS = 0.1
"""How long a client waits that was told one of them."""
# One line a call: ministack takes 50 ms longer for a function that prints nothing.
ECHO = "def handler(event, context):\n    print('called')\n    return event\n"
MEETS = f"""
import os, time
def handler(folder, context):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while len(os.listdir(folder)) < {PARALLEL}:
        time.sleep(0.01)
    return os.getpid()
"""
Figures = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table, with the median of the rounds and of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="starts of each emulator for calls of functions")
    parser.add_argument("--deploys", type=int, default=1, help="local clouds of each for the deploy and the bursts")
    options = parser.parse_args(arguments)
    build_all(FUNCTIONS, "host")  # else the first deploy would
    measures = [*[calls] * options.rounds, *[system] * options.deploys]
    rounds = [{name: _said(name, measure(name)) for name in EMULATORS} for measure in measures]
    print("| | ministack | LocalStack | ratio |\n|---|--:|--:|--:|")
    for what, pairs in _paired(rounds).items():
        ministack, localstack = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratios = [theirs / ours for ours, theirs in pairs if ours]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
        print(f"| {what} | {ministack:.4g} | {localstack:.4g} | {ratio} |")


def _said(emulator: str, figures: Figures) -> Figures:
    print(emulator, figures, file=sys.stderr)
    return figures


def _paired(rounds: Sequence[Mapping[str, Figures]]) -> dict[str, list[tuple[float, float]]]:
    pairs = defaultdict(list)
    for each in rounds:
        for what in each["ministack"]:
            pairs[what].append((each["ministack"][what], each["localstack"][what]))
    return pairs


def calls(emulator: str) -> Figures:
    """The start of an emulator, and calls of a function: the first one, one after the other, and forty at once."""
    with _running(emulator) as (server, process, seconds):
        functions = _client("lambda", server.port)
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        _client("iam", server.port).create_role(RoleName="benchmark", AssumeRolePolicyDocument=document)
        figures = {"start, s": seconds, "memory after the start, MB": memory(process)}
        cold = []
        for number in range(5):
            _create(functions, f"echo-{number}", ECHO)
            cold.append(_timed(partial(_call, functions, f"echo-{number}", {})))
        warm = sorted(_timed(lambda: _call(functions, "echo-0", {})) for _ in range(CALLS))
        figures |= {
            "first call of a function, ms": statistics.median(cold) * 1000,
            "warm call, p50, ms": warm[CALLS // 2] * 1000,
            "warm call, p99, ms": warm[CALLS * 99 // 100] * 1000,
        }
        text = {"text": "x" * (6 * 1024 * 1024 - 100)}
        figures["warm call with 6 MB both ways, ms"] = statistics.median(
            _timed(lambda: _call(functions, "echo-0", text)) for _ in range(5)
        ) * 1000  # fmt: skip
        _create(functions, "meets", MEETS)
        with tempfile.TemporaryDirectory() as folder:
            figures[f"{PARALLEL} cold calls that wait for each other, s"] = _timed(lambda: _all_meet(functions, folder))
        return figures


def system(emulator: str) -> Figures:
    """The deploy of heart's stack, a cold request to its API, and bursts of patient clients."""
    with local_cloud(emulator) as (andamio, process):
        started = perf_counter()
        outputs = deploy(andamio)
        figures = {"deploy with a bootstrap, s": perf_counter() - started}
        figures["deploy again, with no change, s"] = _timed(lambda: deploy(andamio))
        cool(process, "")
        figures["memory after the deploy, no function warm, MB"] = memory(process)
        request = partial(burst, outputs)
        request(1)  # LocalStack loads its gateway
        cool(process, "")
        figures["cold request to the API, s"] = request(1)[0]
        figures["warm request to the API, ms"] = statistics.median(request(1)[0] for _ in range(20)) * 1000
        cool(process, "")
        for state in ("cold", "warm"):
            waited, refused = request(CLIENTS)
            figures[f"{CLIENTS} requests at once, {state}: until the last is answered, s"] = waited
            figures[f"{CLIENTS} requests at once, {state}: answers with 429 or 504"] = refused
        return figures


def burst(outputs: dict[str, Any], clients: int) -> tuple[float, int]:
    """Seconds until the last of so many clients has its prediction, and how often one came again."""
    barrier = Barrier(clients)

    def one(_: int) -> tuple[float, int]:
        refused = 0
        with httpx.Client(headers={"x-api-key": outputs["api_key"]}, timeout=120) as client:
            barrier.wait()
            started = perf_counter()
            while True:
                reply = client.post(outputs["api_url"] + "/predict", json={"features": PATIENT})
                if reply.status_code not in BUSY:
                    reply.raise_for_status()
                    return perf_counter() - started, refused
                refused += 1
                sleep(AGAIN_SECONDS)

    with ThreadPoolExecutor(clients) as pool:
        waited, refused = zip(*pool.map(one, range(clients)), strict=True)
    return max(waited), sum(refused)


def memory(process: psutil.Process) -> float:
    """Megabytes that a process and all that it has started take of the machine; what they share counts once."""
    return sum(each.memory_full_info().pss for each in (process, *process.children(recursive=True))) / 1e6


@contextmanager
def _running(emulator: str) -> Iterator[tuple[Emulator | OpenCore, psutil.Process, float]]:
    home = Home(Path(tempfile.mkdtemp(prefix="andamio-")))
    home.scratch.mkdir()
    (MINISTACK if emulator == "ministack" else LOCALSTACK).install(print)
    port = claim(0)
    made = Emulator if emulator == "ministack" else OpenCore
    server = made(home, port.port, at_once=AT_ONCE)
    started = perf_counter()
    identity = server.start(port)
    port.close()
    try:
        server.wait(identity, 120)
        yield server, psutil.Process(identity.pid), perf_counter() - started
    finally:
        server.stop(identity)
        shutil.rmtree(home.path, ignore_errors=True)


def _client(service: Literal["lambda", "iam"], port: int) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=PARALLEL, retries={"max_attempts": 0}, read_timeout=300),
    )


def _create(functions: Any, name: str, source: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("main.py", source)
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="main.handler",
        Role="arn:aws:iam::000000000000:role/benchmark",
        Timeout=300,
        Code={"ZipFile": archive.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)


def _call(functions: Any, name: str, event: object) -> Any:
    reply = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


def _all_meet(functions: Any, folder: str) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        pids = set(pool.map(lambda _: _call(functions, "meets", folder), range(PARALLEL)))
    assert len(pids) == PARALLEL


def _timed(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


if __name__ == "__main__":
    main()
