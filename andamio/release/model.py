"""A model in service: an ONNX graph and its contract. The only import of onnxruntime in the core."""

from __future__ import annotations

import os

import numpy as np

# Before onnxruntime is imported: it would keep a device id at home, and report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.errors import ReleaseError
from andamio.records.encode import Encoded

_FILE = "model.onnx"


class Model:
    """Scores encoded records with an ONNX graph; raises `ReleaseError` when the graph is not this contract's."""

    def __init__(self, contract: Contract, onnx: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no public base
            message = f"{_FILE} cannot be loaded: {type(error).__name__}"
            raise ReleaseError(message, file=_FILE, fault="unreadable") from error
        self.contract = contract
        self._check_signature()

    def predict(self, encoded: Encoded) -> NDArray[np.float32]:
        """Scores `[rows, outputs]`: probabilities in the order of the contract's classes, or one number in its unit.

        Raises `ReleaseError` when the model answers in another shape, or with a number that is not finite.
        """
        result = self.answers(encoded)
        if not np.isfinite(result).all():
            raise ReleaseError("the model answered with a number that is not finite", file=_FILE, fault="no-answer")
        return result

    def answers(self, encoded: Encoded) -> NDArray[np.float32]:
        """Like `predict`, but without the check for finite numbers.

        Raises `ReleaseError` when the model answers in another shape.
        """
        task = self.contract.task
        (scores,) = self._session.run([task.tensor], encoded.feeds())
        result: NDArray[np.float32] = scores
        if result.shape != (encoded.rows, len(task.outputs)):
            raise ReleaseError(
                f"the model answered {list(result.shape)} numbers for {encoded.rows} records of {task.described}",
                file=_FILE,
                fault="other-contract",
            )
        return result

    def _check_signature(self) -> None:
        expected = {}
        if self.contract.number_columns:
            expected["numbers"] = len(self.contract.number_columns)
        if self.contract.category_columns:
            expected["categories"] = len(self.contract.category_columns)
        found = {tensor.name: tensor.shape[-1] if tensor.shape else None for tensor in self._session.get_inputs()}
        if found != expected:
            message = f"{_FILE} takes {found}, its contract gives {expected}"
            raise ReleaseError(message, file=_FILE, fault="other-contract")
        outputs = {tensor.name: tensor.shape for tensor in self._session.get_outputs()}
        tensor = self.contract.task.tensor
        if tensor not in outputs:
            message = f"{_FILE} has no output '{tensor}', only {', '.join(outputs)}"
            raise ReleaseError(message, file=_FILE, fault="other-contract")
