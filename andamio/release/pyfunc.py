"""A model for tables of raw records: `mlflow.pyfunc.load_model` loads it, next to the ONNX graph.

MLflow imports this module from the code that travels with the model. Cells are read and encoded as the API does
it, so the answers are the API's. Nothing here is needed to serve, and nothing is unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from andamio.contract import Contract
from andamio.contract.own_code import find_source, prepare_digest
from andamio.errors import InvalidRecord, ReleaseError
from andamio.names import PREPARE_FILE
from andamio.prepare.code import OwnCode, load_for
from andamio.prepare.rows import prepared
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.release.answers import Answers, answers_of
from andamio.release.model import Model

MODEL, CONTRACT, SERVING = "model.onnx", "contract.json", "serving.json"
"""The files of the model's folder: graph, contract, and the `threshold` or the `interval` of the release."""
LABEL, TEXT, PROBABILITY = "label", "label_text", "probability_"
"""The columns of a classifier's answer; the last is a prefix of each class's key."""


class RawRecords:
    """Scores a DataFrame of raw columns, and [problem] time where dates are counted up to it.

    With the `code` of a prepare.py the columns are those that a client sends, else they are features.
    """

    def __init__(self, contract: Contract, model: Model, answers: Answers, code: OwnCode | None = None) -> None:
        self.contract = contract
        self._sent = contract if code is None else contract.sent
        self._code = code
        self._model = model
        self._answers = answers

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A DataFrame with the columns of a scored file, a row for each row of a DataFrame.

        Those are the label, its text and each class's probability, or a number and the ends of its interval.
        None, NaN and NaT are no value; other columns are left out. Raises `InvalidRecord` that names the rows that
        break the contract, and `PrepareError` where prepare.py is at fault.
        """
        frame = model_input.astype(object).where(model_input.notna(), None)
        contract, sent = self.contract, self._sent
        wanted = [name for name in (*sent.inputs, sent.problem.time) if name is not None]
        table = parse(
            sent,
            {name: frame[name].tolist() for name in wanted if name in frame.columns},
            len(frame),
            text=False,
        )
        if self._code is not None:
            table = prepared(contract, self._code, table)
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
    """The model of a folder, as MLflow asks for it; raises `ReleaseError` when its parts do not fit."""
    folder = Path(path)
    contract = Contract.from_json((folder / CONTRACT).read_bytes())
    answers = answers_of(contract, json.loads((folder / SERVING).read_bytes()))
    source = find_source(folder)
    if source is not None and prepare_digest(source) != contract.prepare:  # before a line of it is run
        raise ReleaseError(f"{folder / PREPARE_FILE}: is not the file that this model was trained with")
    code = load_for(contract, source, str(folder / PREPARE_FILE))
    return RawRecords(contract, Model(contract, (folder / MODEL).read_bytes()), answers, code)
