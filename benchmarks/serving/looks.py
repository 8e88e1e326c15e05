"""What a look at a trial takes: of many deliveries, then of as many as come between two looks of a busy service.

    .venv/bin/python -m benchmarks.serving.looks                   # 50,000 deliveries, then 6,000
    .venv/bin/python -m benchmarks.serving.looks --parts 5000

The lake is in memory, and takes 20 ms for each read and write, as S3 does for a small object, and 100 for a page of a
listing. A look reads several at once, and lists all that there are.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from andamio.adapters.memory import MemoryObjects
from andamio.captures.trials import TrialPart, TrialRow, bucket_of
from andamio.storage import layout
from andamio.storage.ports import ObjectInfo, StoredObject
from rollout.evidence import gather

PARTS, BETWEEN, ROWS = 50_000, 6_000, 100
"""Deliveries before the first look, those between two looks, and predictions in each."""
LATENCY = 0.020
"""Seconds of a request to S3."""
PAGE_LATENCY = 0.1
"""Seconds of a page of a listing."""
_ROLLOUT = f"{'a' * 16}-1"
_SINCE = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


class Far(MemoryObjects):
    """A lake that takes its time, and counts what is read of it."""

    reads = 0

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object, late."""
        self.reads += 1
        time.sleep(LATENCY)
        return super().get(key, version=version)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The objects under a prefix, a page of a thousand after another."""
        for number, info in enumerate(super().list(prefix, after=after)):
            if number % 1000 == 0:
                time.sleep(PAGE_LATENCY)
            yield info

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object, late."""
        time.sleep(LATENCY)
        return super().put(key, body, content_type=content_type, if_match=if_match)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure three looks, and print what each read and took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.looks", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=PARTS, help="deliveries before the first look")
    parser.add_argument("--between", type=int, default=BETWEEN, help="deliveries between two looks")
    options = parser.parse_args(arguments)
    lake, written = Far("lake"), 0
    print("| deliveries | predictions | read | seconds | CPU seconds |\n|---|---|---|---|---|")
    for new in (options.parts, options.between, 0):
        for number in range(written, written + new):
            # Names are digests: those that come later sort between those that came before.
            name = f"part-{number * 2654435761 % 2**32:032x}.json"
            lake.put_new(layout.trial_of_challenger(_ROLLOUT, name), _part(number))
        written += new
        reads, began, used = lake.reads, time.perf_counter(), time.process_time()
        found = gather(lake, _ROLLOUT, _SINCE, _SINCE + timedelta(days=1))
        took, used = time.perf_counter() - began, time.process_time() - used
        assert found.champion_scored + found.challenger_scored == written * ROWS
        print(f"| {written:,} | {written * ROWS:,} | {lake.reads - reads:,} | {took:.1f} | {used:.1f} |", flush=True)
    kept = lake.head(layout.added_of_challenger(_ROLLOUT)).size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nWhat is kept has {kept:.1f} MB. At most {peak:,.0f} MiB, with the lake in memory.")


def _part(number: int) -> bytes:
    rows = [
        TrialRow(
            prediction_id=f"{number * ROWS + one:032x}",
            record_id=f"patient-{number * ROWS + one}",
            time=(_SINCE + timedelta(seconds=number / 10)).isoformat(),
            variant="challenger" if one % 10 == 0 else "champion",
            label=str(one % 2),
            shadow=None,
        )
        for one in range(ROWS)
    ]
    scored = {"champion": ROWS - ROWS // 10, "challenger": ROWS // 10}
    times = {variant: {str(bucket_of(0.2)): count} for variant, count in scored.items()}
    part = TrialPart(rollout=_ROLLOUT, scored=scored, times=times, faults={}, failed=0, pairs=0, disagreed=0, rows=rows)
    return part.to_json()


if __name__ == "__main__":
    main()
