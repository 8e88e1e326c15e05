"""FLAML on one split, in an environment of its own.

    python flaml_alone.py TRAIN.csv TEST.csv SECONDS METRIC OUT.json

The columns of text are named in TRAIN's header by a leading "text_". Its clock counts processor time, so that a busy
machine takes nothing of its SECONDS.
"""

import json
import pickle
import statistics
import sys
import time
import warnings
from pathlib import Path

STARTED = time.time()
time.time = lambda: STARTED + time.process_time()

import pandas as pd  # noqa: E402 - the clock comes first
from flaml import AutoML  # noqa: E402

LATENCY_CALLS = 50


def main() -> None:
    """Search, then write probabilities of TEST, seconds, bytes and the time of one record."""
    train_file, test_file, seconds, metric, out = sys.argv[1:]
    warnings.simplefilter("ignore")
    train, test = (_read(file) for file in (train_file, test_file))
    labels = train.pop("label")
    search = AutoML()
    search.fit(
        train, labels, task="classification", metric=metric, time_budget=float(seconds), n_jobs=1, verbose=0, seed=7
    )
    used = time.process_time()
    probabilities = search.predict_proba(test)
    times = []
    for row in range(LATENCY_CALLS):
        record = test.iloc[[row % len(test)]]
        before = time.perf_counter()
        search.predict_proba(record)
        times.append(time.perf_counter() - before)
    told = {
        "estimator": search.best_estimator,
        "seconds": used,
        "bytes": len(pickle.dumps(search)),
        "latency_ms": statistics.median(times) * 1000,
        "classes": [int(name) for name in search.classes_],
        "probabilities": probabilities.tolist(),
    }
    Path(out).write_text(json.dumps(told), encoding="utf-8")


def _read(path: str) -> pd.DataFrame:
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in table.columns:
        if name.startswith("text_"):
            table[name] = table[name].astype(str).astype("category")
    return table


if __name__ == "__main__":
    main()
