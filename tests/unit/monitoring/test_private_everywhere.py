"""A private value goes into a prediction and comes out nowhere: log, captures, table, reports, events."""

from __future__ import annotations

import io
import json
import struct
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.step import run_step
from andamio.storage import layout
from lambdas.api.predictions.capture import Capture
from monitoring.delivery import read, store
from monitoring.feedback import StoredPredictions
from monitoring.report import PAGE, REPORT
from monitoring.steps import STEPS, Watch
from monitoring.window import Window, iso
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.api import Api
from tests.support.capture import PATIENT, delivery
from tests.support.releases import HEART_FOLDER
from tests.support.watched import watched_release

HIDDEN, REFUSED = 2.015625, "a secret text"
DEPLOYED = Contract.from_toml(
    (HEART_FOLDER / "problem.toml").read_text().replace("[features.oldpeak]", "[features.oldpeak]\nprivate = true")
)
TRACES = tuple(
    trace.encode() if isinstance(trace, str) else trace
    for trace in (str(HIDDEN), struct.pack("<d", HIDDEN), struct.pack("<f", HIDDEN), REFUSED)
)
HOUR = timedelta(hours=1)
RECORDS, REJECTED = 60, 20


def test_a_private_value_leaves_no_trace_from_the_log_to_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(capture=Capture(hidden=frozenset(DEPLOYED.private)))
    version = watched_release(api.objects)
    for number in range(RECORDS):
        assert api.predict(PATIENT | {"age": 40 + number % 30, "oldpeak": HIDDEN}, id=f"patient {number}").status == 200
    for number in range(REJECTED):
        api.request_id = f"request-{number}"
        assert api.predict(PATIENT | {"oldpeak": REFUSED}).status == 422
    logged = capsys.readouterr().out
    lines = [line for line in logged.splitlines() if '"andamio.' in line]
    assert len(lines) >= RECORDS + REJECTED

    lake, table, events, figures = MemoryObjects("lake"), MemoryPredictionStore(), MemoryEvents(), []
    store(read(delivery(lines), DEPLOYED), DEPLOYED, lake, table)
    assert len(table.items) == RECORDS
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    window = Window(end - 24 * HOUR, end)
    watch = Watch(
        lake=lake,
        models=api.objects,
        predictions=StoredPredictions(table, MemoryObjects("batch")),
        contract=DEPLOYED,
        system="heart",
        metrics=SimpleNamespace(put=figures.append),  # type: ignore[arg-type]
        events=events,
        retrainer=ContractRetrainer(lake, api.objects, DEPLOYED),
        now=end,
    )
    run_step(STEPS, watch, {"step": "gather", "event": {"end": window.name}, "started": iso(end)})
    for step in ("compare", "draw", "publish", "tell"):
        run_step(STEPS, watch, {"step": step, "window": window.name})

    report = json.loads(lake.get(layout.monitoring(end, REPORT)).body)
    traffic = report["traffic"]
    assert (report["model"]["release"], traffic["rows"], traffic["rejected"]) == (version, RECORDS, REJECTED)
    kept = {info.key: lake.get(info.key).body for info in lake.list("")}
    assert layout.monitoring(end, PAGE) in kept
    said = capsys.readouterr().out
    everything = kept | {
        "log": logged.encode(), "later log": said.encode(), "table": repr(table.items).encode(),
        "events": repr(events.sent).encode(), "figures": repr(figures).encode(),
    }  # fmt: skip
    assert [(where, trace) for where, body in everything.items() for trace in TRACES if trace in body] == []
    tables = {key: pq.read_table(io.BytesIO(body)) for key, body in kept.items() if key.endswith(".parquet")}
    assert tables
    assert [key for key, rows in tables.items() if "oldpeak" in rows.column_names] == []
    cells = (cell for rows in tables.values() for column in rows.columns for cell in column.to_pylist())
    assert [cell for cell in cells if cell in (HIDDEN, REFUSED)] == []
