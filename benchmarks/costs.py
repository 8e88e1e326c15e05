"""What the watch, its alarms and the dashboard cost a month on AWS: counts, times the prices of `benchmarks.prices`.

    .venv/bin/python -m benchmarks.costs            # a minute or two: a day of deliveries and two of labels, in memory
    .venv/bin/python -m benchmarks.costs --write    # and put the table of the watch into docs/deploy.md

What a run of the watch asks of S3 and of the predictions table is counted in a real run of its steps, and what capture
writes into the table in the hour before it. The template's alarms are counted by
tests/infra/test_alarms.py, which holds the page to `alarms`.
"""

from __future__ import annotations

import argparse
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from andamio.adapters.memory import MemoryEvents, MemoryObjects, MemoryPredictionStore
from andamio.contract.tables import Monitor
from andamio.feedback import Statement, keep
from andamio.step import run_step
from andamio.storage.ports import ObjectInfo
from benchmarks import prices
from benchmarks.watch import tables_of
from monitoring.delivery import read, store
from monitoring.feedback import StoredPredictions
from monitoring.steps import STEPS, Watch
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.capture import delivery, identity, prediction
from tests.support.releases import heart
from tests.support.watched import watched_release

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "deploy.md"
MACHINE = REPOSITORY / "stepfunctions" / "monitor.asl.json"

RUNS = 720
SECONDS = 20
"""Of the function's steps together, in each run: assumed."""
MEMORY_GB = 3008 / 1024
WATCH_METRICS = 9
A_LISTING = 1000
"""Keys of one answer."""
END = datetime(2026, 11, 27, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests to S3 of one run of the watch, and predictions that it looks up in the table.

    `kept` are units of writing of the table: of the predictions of an hour, which capture keeps.
    """

    listings: int
    reads: int
    writes: int
    lookups: int
    kept: int


class Counted(MemoryObjects):
    """A bucket that counts what is asked of it; a listing of a thousand keys is one request."""

    def __init__(self, bucket: str) -> None:
        super().__init__(bucket)
        self.listings = self.reads = 0
        self._keys: list[str] = []

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The objects under a prefix, which are found without a look at all others."""
        if len(self._keys) != len(self._versions):
            self._keys = sorted(self._versions)
        self.listings += 1
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        for seen, key in enumerate(islice(self._keys, first, None)):
            if not key.startswith(prefix):
                return
            self.listings += seen > 0 and seen % A_LISTING == 0
            yield self._versions[key][-1][0]

    def _find(self, key: str, version: str | None) -> tuple[ObjectInfo, bytes]:
        self.reads += 1
        return super()._find(key, version)

    @property
    def asked(self) -> tuple[int, int, int]:
        """Listings, reads and writes until now."""
        return self.listings, self.reads, len(self.writes)


class CountedTable(MemoryPredictionStore):
    """A table that counts units of reading and writing: items of up to 1 KB, and one more for an entry in its index."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = self.kept = 0

    def put_all(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write items."""
        self.kept += sum(1 if item.get("record_id") is None else 2 for item in items)
        super().put_all(items)

    def find(self, prediction_id: str) -> dict[str, Any] | None:
        """The item of an id."""
        self.lookups += 1
        return super().find(prediction_id)

    def of_record(self, record_id: str, *, limit: int) -> list[dict[str, Any]]:
        """The newest items of a record."""
        self.lookups += 1
        return super().of_record(record_id, limit=limit)


class _NoMetrics:
    def put(self, values: Mapping[str, float]) -> None:
        """Take them."""


def asked(*, deliveries: int = 0, labels: int = 0) -> Asked:
    """What a run asks that follows on one an hour before.

    In each hour of its window there were so many deliveries of a line, and requests with a label as far as labels are
    read.
    """
    lake, models = Counted("lake"), Counted("models")
    watched_release(models)
    contract = heart().model_copy(update={"monitor": Monitor()})
    settings = contract.monitor
    table, number = CountedTable(), 0
    release = json.loads(models.get("serving/heart.json").body)["champion"]["release"]

    def fill(hour: datetime, *, captured: bool = True) -> None:
        nonlocal number
        for one in range(max(deliveries if captured else 0, labels)):
            number += 1
            at = hour + HOUR * (one / max(deliveries, labels))
            if captured and one < deliveries:
                line = prediction(number, at=at, release=release)
                store(read(delivery([line]), contract), contract, lake, table)
            if one < labels:
                keep(lake, [Statement(identity(number), None, "1")], at, release)

    def run(end: datetime) -> None:
        watch = Watch(
            lake=lake,
            models=models,
            predictions=StoredPredictions(table, MemoryObjects("batch")),
            contract=contract,
            system="heart",
            metrics=_NoMetrics(),
            events=MemoryEvents(),
            retrainer=ContractRetrainer(lake, models, contract),
            now=end + timedelta(minutes=5),
        )
        window = f"{end:%Y-%m-%dT%H:%M:%SZ}"
        run_step(STEPS, watch, {"step": "gather", "event": {"end": window}, "started": window})
        for step in ("compare", "draw", "publish"):
            run_step(STEPS, watch, {"step": step, "window": window})

    for back in range(settings.window_hours + settings.orphan_hours + 1, 1, -1):
        fill(END - HOUR * back, captured=back <= settings.window_hours + 1)
    run(END - HOUR)
    kept = table.kept
    fill(END - HOUR)
    kept, lookups = table.kept - kept, table.lookups
    before = lake.asked, models.asked
    run(END)
    after = lake.asked, models.asked
    listings, reads, writes = (
        sum(after[bucket][kind] - before[bucket][kind] for bucket in (0, 1)) for kind in range(3)
    )
    return Asked(listings, reads, writes, table.lookups - lookups, kept)


def machine() -> tuple[int, int]:
    """Transitions and calls of the function in a run that has nothing to tell, by the machine's definition."""
    states: dict[str, dict[str, Any]] = json.loads(MACHINE.read_text(encoding="utf-8"))["States"]
    name: str | None = json.loads(MACHINE.read_text(encoding="utf-8"))["StartAt"]
    entered, calls = 0, 0
    while name is not None:
        state = states[name]
        entered, calls = entered + 1, calls + (state["Type"] == "Task")
        ready = [one["Next"] for one in state.get("Choices", []) if one.get("StringEquals") == "ready"]
        name = ready[0] if ready else state.get("Default", state.get("Next"))
    return entered, calls


COUNTED = {
    "S3 listings, of a thousand keys": prices.S3_WRITE,
    "S3 reads": prices.S3_READ,
    "S3 writes": prices.S3_WRITE,
    "predictions looked up in the table": prices.DYNAMODB_READ,
    "in the hour before: units that capture writes into the table": prices.DYNAMODB_WRITE,
}
"""What is counted, in the order of `Asked`, and what one costs."""


def watch(cases: Mapping[str, Asked]) -> str:
    """A table of what a month of hourly runs costs, for each case."""
    transitions, calls = machine()
    gb_second = prices.LAMBDA_GB_SECOND["x86-64"]
    function = SECONDS * MEMORY_GB * gb_second
    fixed = [
        (f"the function: {SECONDS} s (assumed) at 3,008 MB", f"${gb_second:.10f} a GB-second", str(SECONDS), function),
        ("calls of the function", _million(prices.LAMBDA_REQUEST), str(calls), calls * prices.LAMBDA_REQUEST),
        ("transitions of the machine", _million(prices.TRANSITION), str(transitions), transitions * prices.TRANSITION),
        ("metrics, put", _million(prices.PUT_METRICS), "1", prices.PUT_METRICS),
    ]
    lines = [[what, price, *(f"{count}: ${RUNS * cost:.2f}" for _ in cases)] for what, price, count, cost in fixed]
    totals = [sum(cost for *_, cost in fixed)] * len(cases)
    for place, (what, price) in enumerate(COUNTED.items()):
        counts = [astuple(one)[place] for one in cases.values()]
        totals = [total + count * price for total, count in zip(totals, counts, strict=True)]
        lines.append([what, _million(price), *(f"{count:,}: ${RUNS * count * price:.2f}" for count in counts)])
    lines.append(["**together**", "", *(f"**${RUNS * total:.2f}**" for total in totals)])
    return tables_of(["a run", "price", *cases], lines)


def _million(price: float) -> str:
    text = f"{price * 1e6:.3f}"
    return f"${text.removesuffix('0')} a million"


def alarms(count: int) -> str:
    """A table of what so many alarms cost beside what the watch puts, and the sums of a first stack and of others."""
    lines = [
        ("alarms, one metric each, standard resolution", count, prices.ALARM, f"the first {prices.FREE_ALARMS}"),
        ("metrics that the watch puts", WATCH_METRICS, prices.METRIC, f"the first {prices.FREE_METRICS}"),
        ("dashboard", 1, prices.DASHBOARD, f"the first {prices.FREE_DASHBOARDS}"),
        ("the topic's KMS key, in its first year", 1, prices.KEY, ""),
    ]
    table = tables_of(
        ["what", "how many", "price a month", "together", "free in an account"],
        [[what, str(many), f"${one:.2f}", f"${many * one:.2f}", free] for what, many, one, free in lines],
    )
    paid = max(0, count - prices.FREE_ALARMS) * prices.ALARM
    everything = sum(many * one for _, many, one, _ in lines)
    return (
        f"{table}\n\nThe first stack of an account pays ${paid:.2f} for alarms and ${prices.KEY:.2f} for the key. "
        f"One that comes after three others pays all of it, ${everything:.2f}."
    )


def snapstart(memory: int) -> str:
    """A sentence of what a snapshot of so many MB costs a month, and a start from it."""
    gb = memory / 1024
    kept, start = gb * prices.SNAPSHOT_GB_SECOND * prices.MONTH, gb * prices.RESTORE_GB
    return f"30 days of {gb:.4f} GB come to **${kept:.2f}**, and each start from the snapshot to ${start:.5f}"


CASES = {
    "no traffic": {},
    "a delivery of log lines each second": {"deliveries": 3600},
    "and a label each second": {"deliveries": 3600, "labels": 3600},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, print, and write on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put the table of the watch into {PAGE.name}")
    options = parser.parse_args(arguments)
    text = watch({name: asked(**case) for name, case in CASES.items()})
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        marked = re.compile(r"(<!-- watch -->\n).*?(<!-- /watch -->)", re.DOTALL)
        PAGE.write_text(marked.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
