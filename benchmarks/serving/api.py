"""How fast the API answers: warm calls through Mangum, and a cold start in a fresh process.

    .venv/bin/python -m benchmarks.serving.api              # the API
    .venv/bin/python -m benchmarks.serving.api --compare    # and the usual way: FastAPI, pandas, mlflow.pyfunc

The model is a small logistic regression over heart's contract, made here: what is measured is all that
is around it. Cold is what Lambda's init and first invocation do, with bytecode in place and the release on
local disk: the first request on AWS also waits for boto3, shown apart, and for four objects from S3.
Ratios count: the numbers of two machines do not compare.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from andamio.adapters.memory import MemoryObjects
from tests.support.api import Api, event
from tests.support.releases import heart, linear_onnx, serve

WARM_UP, CALLS, STARTS = 300, 3000, 9
PATIENT = json.loads(event("api-predict")["body"])["features"]

COLD = """
import sys, time, json, pathlib
from andamio.storage.ports import StoredObject
from andamio.errors import ObjectNotFound
started = time.perf_counter()
import lambdas.api.handler as api
imported = time.perf_counter()
class Folder:
    def get(self, key, *, version=None):
        try:
            return StoredObject((pathlib.Path(sys.argv[1]) / key).read_bytes(), "", "")
        except FileNotFoundError:
            raise ObjectNotFound(key) from None
serving = api.Serving(Folder(), "heart", api.WallClock(), 60)
api.connect = api.stores = None
gateway = api.Mangum(api.create_app(lambda: serving, None), lifespan="off", custom_handlers=[api.RestApi])
event = json.loads(pathlib.Path(sys.argv[2]).read_text())
ready = time.perf_counter()
assert gateway(event, None)["statusCode"] == 200
print(json.dumps([imported - started, time.perf_counter() - ready]))
"""

CLIENT = """
import time, json
import lambdas.api.handler as api
started = time.perf_counter()
api.S3Objects("models")
print(json.dumps([time.perf_counter() - started]))
"""

USUAL = """
import sys, time, json, pathlib, statistics
started = time.perf_counter()
import mlflow.pyfunc, pandas as pd, numpy as np
from fastapi import FastAPI
from mangum import Mangum
from pydantic import create_model
columns = json.loads(sys.argv[3])
Features = create_model("Features", **{name: (float, ...) for name in [*columns["numbers"], *columns["categories"]]})
Request = create_model("Request", features=(Features, ...))
app = FastAPI()
imported = time.perf_counter()
model = mlflow.pyfunc.load_model(sys.argv[1])
@app.post("/predict")
def predict(body: Request):
    frame = pd.DataFrame([body.features.model_dump()])
    texts = frame[columns["categories"]].map(lambda value: f"{value:g}").to_numpy(dtype=object)
    said = model.predict({"numbers": frame[columns["numbers"]].to_numpy(dtype=np.float32), "categories": texts})
    row = pd.DataFrame(said["probabilities"]).iloc[0]
    return {"label": int(row.idxmax()), "probabilities": row.to_dict()}
gateway = Mangum(app, lifespan="off")
event = json.loads(pathlib.Path(sys.argv[2]).read_text())
assert gateway(event, None)["statusCode"] == 200, gateway(event, None)
first = time.perf_counter()
taken = []
for _ in range(300):
    began = time.perf_counter()
    gateway(event, None)
    taken.append(time.perf_counter() - began)
print(json.dumps([imported - started, first - imported, statistics.median(taken), sorted(taken)[-4]]))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--compare", action="store_true", help="measure the usual way too (a minute)")
    compare: bool = parser.parse_args().compare
    rows = warm()
    with tempfile.TemporaryDirectory() as folder:
        rows += cold(Path(folder))
        if compare:
            rows += usual(Path(folder))
    print(f"{'case':<44}{'p50 ms':>10}{'p99 ms':>10}{'us a record':>14}")
    for name, p50, p99, records in rows:
        each = f"{p50 * 1e6 / records:.0f}" if records else ""
        print(f"{name:<44}{p50 * 1000:>10.3f}{p99 * 1000:>10.3f}{each:>14}")


Row = tuple[str, float, float, int]


def warm() -> list[Row]:
    """Warm calls, a log line for each record included."""
    api = Api()
    serve(api.objects, heart())
    batch = {count: json.dumps({"records": [{"features": PATIENT}] * count}) for count in (100, 1000)}
    split = {"dataframe_split": {"columns": list(PATIENT), "data": [list(PATIENT.values())]}}
    one, ping = event("api-predict"), event("api-ping")
    cases: list[tuple[str, Callable[[], object], int, int]] = [
        ("warm POST /predict", lambda: _call(api, one), CALLS, 1),
        ("warm POST /invocations", _sending(api, "/invocations", json.dumps(split)), CALLS, 1),
        ("warm POST /predict/batch of 100", _sending(api, "/predict/batch", batch[100]), CALLS // 10, 100),
        ("warm POST /predict/batch of 1000", _sending(api, "/predict/batch", batch[1000]), CALLS // 60, 1000),
        ("warm POST /predict, 422", _sending(api, "/predict", '{"features": {"age": -1}}'), CALLS, 0),
        ("warm GET /ping", lambda: _call(api, ping), CALLS, 0),
    ]
    rows = []
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        for name, call, calls, records in cases:
            for _ in range(max(WARM_UP * calls // CALLS, 5)):
                call()
            rows.append((name, *_figures([_timed(call) for _ in range(calls)]), records))
    return rows


def cold(folder: Path) -> list[Row]:
    """A fresh process: what importing takes, then what the first request takes."""
    objects = MemoryObjects()
    serve(objects, heart())
    for info in objects.list(""):
        file = folder / info.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(objects.get(info.key).body)
    request = folder / "event.json"
    request.write_text(json.dumps(event("api-predict")))
    bare, whole, parts, clients = [], [], [], []
    for _ in range(STARTS):
        bare.append(_timed(lambda: _fresh("pass")))
        clients.append(_last(_fresh(CLIENT))[0])
        whole.append(_timed(lambda: parts.append(_last(_fresh(COLD, str(folder), str(request))))))
    return [
        ("cold: the interpreter alone", *_figures(bare), 0),
        ("cold: importing the handler", *_figures([part[0] for part in parts]), 0),
        ("cold: first POST /predict, loading included", *_figures([part[1] for part in parts]), 0),
        ("cold: boto3 and its client", *_figures(clients), 0),
        ("cold: all of it but boto3", *_figures(whole), 0),
    ]


def usual(folder: Path) -> list[Row]:
    """FastAPI with pydantic models, pandas and mlflow.pyfunc, around the same model."""
    with contextlib.redirect_stderr(io.StringIO()):
        import mlflow.onnx
        import onnx

        mlflow.onnx.save_model(onnx.load_from_string(linear_onnx(heart())), str(folder / "mlflow"), pip_requirements=[])
    columns = {"numbers": heart().number_columns, "categories": heart().category_columns}
    arguments = (str(folder / "mlflow"), str(folder / "event.json"), json.dumps(columns))
    found = [_last(_fresh(USUAL, *arguments)) for _ in range(3)]
    return [
        ("the usual way, cold: importing", *_figures([part[0] for part in found]), 0),
        ("the usual way, cold: loading, first request", *_figures([part[1] for part in found]), 0),
        ("the usual way, warm POST /predict", found[0][2], found[0][3], 1),
    ]


def _sending(api: Api, path: str, body: str) -> Callable[[], object]:
    sent = event("api-predict") | {"path": path, "resource": path, "body": body}
    return lambda: _call(api, sent)


def _call(api: Api, sent: dict[str, Any]) -> object:
    context: Any = None  # what Lambda says of the call, which nothing timed here reads
    return api.gateway(sent, context)


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _figures(taken: Sequence[float]) -> tuple[float, float]:
    return statistics.median(taken), sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.99))]


def _fresh(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def _last(output: str) -> list[float]:
    figures: list[float] = json.loads(output.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
