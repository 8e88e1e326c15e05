"""The model alone, one process: `session.run` on tensors that are in memory, nothing read, nothing written.

    python -m benchmarks.batch.ceiling FOLDER ROWS

Two sessions, each on one thread as in a worker, each with a block of the file's own first rows again and again: the
release's graph on its two tensors (float32 numbers and texts), and the part of it behind the one-hot encoding,
fed with the float32 array that it is there: what a model could do whose columns were all numbers.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import onnx
import onnxruntime as ort
from onnx.utils import Extractor

from andamio.contract import Contract
from benchmarks.batch.folder import PROBLEM, FolderObjects, champion
from benchmarks.batch.release import tensors

BLOCK = 65_536
CLASSIFIERS = ("TreeEnsembleClassifier", "LinearClassifier")


def main() -> None:
    """Measure both; prints rows a second."""
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    graph = FolderObjects(folder / "models").get(f"releases/{champion(folder)}/model.onnx").body
    feeds = tensors(Contract.load(PROBLEM), BLOCK).feeds()
    model = onnx.load_from_string(graph)
    inner = next(node.input[0] for node in model.graph.node if node.op_type in CLASSIFIERS)
    outer = model.graph.output[0].name
    head, tail = _part(model, [item.name for item in model.graph.input], [inner]), _part(model, [inner], [outer])
    (array,) = _session(head).run(None, feeds)
    times = max(1, rows // BLOCK)
    said = {}
    for name, session, given in (("tensors", _session(graph), feeds), ("array", _session(tail), {inner: array})):
        session.run([outer], given)
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(times):
            session.run([outer], given)
        done = times * BLOCK
        said[name] = {
            "rows": done,
            "seconds": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
        }
    print(json.dumps(said))


def _part(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> bytes:
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {item.name for item in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)}
    for name in (*inputs, *outputs):
        if name not in known:
            inferred.graph.value_info.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, None])
            )
    return bytes(Extractor(inferred).extract_model(inputs, outputs).SerializeToString())


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
