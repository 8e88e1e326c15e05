"""Our own worker, one process: the steps of a batch over a bucket in a folder, as the state machine takes them.

    python -m benchmarks.batch.ours STEP BUCKET MODELS WHAT SHARD_BYTES WORKERS WORKER

WHAT is the file's key for `plan`, the list of items for `survey` and `score`, the batch for any other step. `survey`
and `score` are run by WORKERS processes at once, each of which takes every WORKERS-th item. Prints what the
last step answered. No function and no AWS: what these add is said in RESULTS.md.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from andamio.step import run_step
from benchmarks.batch.folder import FolderObjects, NoTable
from scoring.context import ScoringContext
from scoring.steps import STEPS, Call


class WithoutPandas(MetaPathFinder):
    """The function's bundle has no pandas; where there is one, pyarrow imports it, which takes 0.2 s a process."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Nothing is found here, and pandas nowhere."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def main() -> None:
    """Take one step, or this worker's share of the items of one."""
    sys.meta_path.insert(0, WithoutPandas())
    step, bucket, models, what, shard_bytes, workers, worker = sys.argv[1:]
    batch = FolderObjects(Path(bucket))
    context = ScoringContext("bench", "bucket", batch, FolderObjects(Path(models)), NoTable(), int(shard_bytes))
    events: list[dict[str, Any]] = [{"batch": what}]
    if step == "plan":
        events = [{"event": {"key": what}, "execution": "benchmark"}]
    elif step in ("survey", "score"):
        events = json.loads(batch.get(what).body)[int(worker) :: int(workers)]
    said: dict[str, Any] = {}
    for event in events:
        said = run_step(STEPS, Call(context, datetime.now(UTC)), {"step": step, **event})
    print(json.dumps(said))


if __name__ == "__main__":
    main()
