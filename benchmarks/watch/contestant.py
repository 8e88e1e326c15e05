"""Another tool's drift alarms with its defaults, run by an interpreter that has it: no module of ours is imported.

    EVIDENTLY_PYTHON benchmarks/watch/contestant.py evidently windows.pickle

The file holds `[(name, reference, window)]`, columns by name. One line of JSON: alarms by name, of each window, and the
tool's version, the seconds of the processor that the comparisons took, and the most memory, in MB, that it had.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")


def evidently(reference: Any, window: Any) -> dict[str, bool]:
    """The preset for data drift: a column by its own test, and the data set where half of the columns drifted."""
    from evidently import Report  # type: ignore[import-not-found, unused-ignore]
    from evidently.presets import DataDriftPreset  # type: ignore[import-not-found, unused-ignore]

    found = Report([DataDriftPreset()]).run(window, reference).dict()["metrics"]
    count = next(one["value"] for one in found if "DriftedColumnsCount" in one["metric_name"])
    return {"a column": count["count"] > 0, "half of the columns": count["share"] >= 0.5}


def nannyml(reference: Any, window: Any) -> dict[str, bool]:
    """The univariate calculator, with the window as one chunk."""
    import nannyml as tool  # type: ignore[import-not-found, unused-ignore]

    calculator = tool.UnivariateDriftCalculator(column_names=list(reference.columns), chunk_size=len(window))
    result = calculator.fit(reference).calculate(window).filter(period="analysis").to_df()
    alerts = [column for column in result.columns if column[-1] == "alert"]
    return {"a column": bool(result[alerts].to_numpy().any())}


def main() -> None:
    """Run one tool over the windows of a file."""
    import pandas as pd

    tool, file = sys.argv[1], Path(sys.argv[2])
    detect = {"evidently": evidently, "nannyml": nannyml}[tool]
    found: dict[str, list[dict[str, bool]]] = {}
    import_module(tool)
    seconds = 0.0
    for name, *sides in pickle.loads(file.read_bytes()):
        frames = [pd.DataFrame(side) for side in sides]
        for frame in frames:
            for column in frame.columns:
                if frame[column].dtype == object:
                    frame[column] = frame[column].mask(frame[column] == "", None)
        started = time.process_time()
        found.setdefault(name, []).append(detect(*frames))
        seconds += time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"version": version(tool), "seconds": seconds, "peak_mb": peak, "alarms": found}))


if __name__ == "__main__":
    main()
