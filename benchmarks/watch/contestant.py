"""Another tool's drift alarms with its defaults, run by an interpreter that has it: no module of ours is imported.

    EVIDENTLY_PYTHON benchmarks/watch/contestant.py evidently windows.pickle

The file holds `[(name, reference, window)]`, columns by name. One line of JSON: alarms by name, of each window, and the
tool's version.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
import warnings
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
    started = time.process_time()
    for name, *sides in pickle.loads(file.read_bytes()):
        frames = [pd.DataFrame(side) for side in sides]
        for frame in frames:
            for column in frame.columns:
                if frame[column].dtype == object:
                    frame[column] = frame[column].mask(frame[column] == "", None)
        found.setdefault(name, []).append(detect(*frames))
    print(json.dumps({"version": version(tool), "seconds": time.process_time() - started, "alarms": found}))


if __name__ == "__main__":
    main()
