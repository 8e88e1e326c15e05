"""A model for tables of raw records: `mlflow.pyfunc.load_model` loads it, next to the ONNX graph.

MLflow imports this module from the code that travels with the model. Cells are read and encoded as the API does
it, so the answers are the API's. Nothing here is needed to serve, and nothing is unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from andamio.contract import Contract
from andamio.errors import InvalidRecord
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.release.answers import Answers, answers_of
from andamio.release.model import Model

MODEL, CONTRACT, SERVING = "model.onnx", "contract.json", "serving.json"
"""The files of the model's folder: graph, contract, and the `threshold` or the `interval` of the release."""
LABEL, TEXT, PROBABILITY = "label", "label_text", "probability_"
"""The columns of a classifier's answer; the last is a prefix of each class's key."""


class RawRecords:
    """Scores a DataFrame of raw columns: features, and [problem] time where dates are counted up to it."""

    def __init__(self, contract: Contract, model: Model, answers: Answers) -> None:
        self.contract = contract
        self._model = model
        self._answers = answers

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A DataFrame with the columns of a scored file, a row for each row of a DataFrame.

        Those are the label, its text and each class's probability, or a number and the ends of its interval.
        None, NaN and NaT are no value; columns that are no feature are left out. Raises `InvalidRecord` that names
        the rows that break the contract.
        """
        frame = model_input.astype(object).where(model_input.notna(), None)
        contract = self.contract
        wanted = [name for name in (*contract.inputs, contract.problem.time) if name is not None]
        table = parse(
            contract,
            {name: frame[name].tolist() for name in wanted if name in frame.columns},
            len(frame),
            text=False,
        )
        if table.violations:
            raise InvalidRecord(sorted(table.violations, key=lambda problem: problem.row))
        indices, numbers = self._answers.split(self._model.predict(encode(contract, table)))
        told = self._answers.told
        texts = range(len(told.columns) - len(told.numbers))
        cells: list[Any] = [
            *([told.texts[index][text] for index in indices] for text in texts),
            *numbers.T.astype(float),
        ]
        columns = dict(zip(told.columns, cells, strict=True))
        return type(model_input)(columns, index=model_input.index)


def _load_pyfunc(path: str) -> RawRecords:
    """The model of a folder, as MLflow asks for it; raises `ReleaseError` when graph and contract do not fit."""
    folder = Path(path)
    contract = Contract.from_json((folder / CONTRACT).read_bytes())
    answers = answers_of(contract, json.loads((folder / SERVING).read_bytes()))
    return RawRecords(contract, Model(contract, (folder / MODEL).read_bytes()), answers)
