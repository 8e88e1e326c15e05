"""Our own worker, one process: the steps of a batch over a bucket in a folder, as the state machine takes them.

    python -m benchmarks.batch.ours plan|survey|cut|score|verify|publish FOLDER KEY SHARD_BYTES WORKERS WORKER

`plan` begins; `survey` and `score` are run by WORKERS processes at once, each of which takes every WORKERS-th item of
what the step before listed. Prints what the last step answered. No function and no AWS: what these add is
said in RESULTS.md.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scoring.steps import Steps

from benchmarks.batch.folder import FolderObjects, NoTable


def main() -> None:
    """Take one step, or this worker's share of the items of one."""
    step, folder, key, shard_bytes, workers, worker = sys.argv[1:]
    batch, models = FolderObjects(Path(folder) / "bucket"), FolderObjects(Path(folder) / "models")
    steps = Steps(batch, models, NoTable(), "bench", int(shard_bytes))
    started = time.perf_counter()
    said: dict[str, Any] = {}
    if step == "plan":
        said = steps.run({"step": "plan", "event": {"key": key}, "execution": "benchmark"}, datetime.now(UTC))
    elif step in ("survey", "score"):
        items = json.loads(batch.get(key).body)[int(worker) :: int(workers)]
        for item in items:
            steps.run({"step": step, **item}, datetime.now(UTC))
    else:
        said = steps.run({"step": step, "batch": key}, datetime.now(UTC))
    print(json.dumps({**said, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
