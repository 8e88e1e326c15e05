"""How many requests a second a deployed API answers: POST /predict from more and more clients at once.

    .venv/bin/python -m benchmarks.serving.load                              # what was deployed last
    .venv/bin/python -m benchmarks.serving.load --url https://... --key ...  # any deployment

Each client sends its next request when the last was answered. The record is the example of `/openapi.json`. On AWS the
first seconds of each step start new environments of the function; 429 means that the plan's rate or burst was reached
(`cdk -c rate= -c burst=`).
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

CLIENTS = (1, 4, 16, 32)
SECONDS = 10.0
HEADER = f"{'clients':>8}{'answers/s':>12}{'p50 ms':>10}{'p99 ms':>10}   statuses"


@dataclass(frozen=True)
class Step:
    """What came of some clients: answers of 2xx a second, seconds of an answer, how many of each status."""

    clients: int
    rate: float
    p50: float
    p99: float
    statuses: Counter[str]

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.clients:>8}{self.rate:>12.1f}{self.p50 * 1000:>10.1f}{self.p99 * 1000:>10.1f}   {statuses}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="of the API; with --key; without both the API of outputs.json")
    parser.add_argument("--key", help="the API key")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each step")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="of each step")
    said = parser.parse_args()
    url, key = (said.url, said.key) if said.url else deployed()
    document = httpx.get(f"{url.rstrip('/')}/openapi.json", timeout=60).raise_for_status().json()
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    body = json.dumps(next(iter(examples.values()))["value"])
    print(HEADER)
    for clients in said.clients:
        print(step(f"{url.rstrip('/')}/predict", key, body, clients, said.seconds), flush=True)


def deployed() -> tuple[str, str]:
    """Address and key of the problem that was deployed last."""
    home = Path(os.environ.get("ANDAMIO_HOME") or Path(__file__).parents[2] / ".andamio")
    outputs = json.loads((home / "outputs.json").read_text())
    return outputs["api_url"], outputs["api_key"]


def step(url: str, key: str, body: str, clients: int, seconds: float) -> Step:
    """Send from some clients at once, each its next request when its last was answered."""
    statuses: Counter[str] = Counter()
    taken: list[float] = []
    lock = threading.Lock()
    end = time.perf_counter() + seconds
    headers = {"x-api-key": key, "content-type": "application/json"}

    def send() -> None:
        with httpx.Client(timeout=60, headers=headers) as client:
            while (began := time.perf_counter()) < end:
                try:
                    status = str(client.post(url, content=body).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                with lock:
                    statuses[status] += 1
                    taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for sender in [pool.submit(send) for _ in range(clients)]:
            sender.result()
    passed = time.perf_counter() - began
    answers = sum(count for status, count in statuses.items() if status.startswith("2"))
    ordered = sorted(taken)
    return Step(clients, answers / passed, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], statuses)


if __name__ == "__main__":
    main()
