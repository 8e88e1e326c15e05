"""The proof of a release with code of its own: records as they are sent, and what the model says of them here."""

from __future__ import annotations

import numpy as np

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.dataset.documents import SampleRecords
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.model import Model
from andamio.release.proof import Proof
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from training.rows import TrainingRows


def proof_of(lake: Objects, version: str, contract: Contract, onnx: bytes, train: TrainingRows) -> Proof | None:
    """The records of train with what the model says of their rows; None of a problem that does not prepare them."""
    if not contract.prepares:
        return None
    samples = documents.find(lake, layout.dataset(version, dataset.SAMPLES), SampleRecords)
    if samples is None:  # of a version made when none was kept beside private columns
        return None
    with dataset.open_columns(lake, version, "train") as columns:
        rows = {one: place for place, one in enumerate(map(str, columns[dataset.ROW])) if one in samples.records}
    known = [identity for identity in samples.records if identity in rows]
    if not known:
        return Proof(records=[], probabilities=[])
    if samples.features:  # values were made up: no row of train has them
        asked = encode(contract, parse_records(contract, [samples.features[identity] for identity in known]))
    else:
        asked = train.encoded.take(np.array([rows[identity] for identity in known], dtype=np.int64))
    return Proof(
        records=[samples.records[identity] for identity in known],
        cells=[samples.cells.get(identity) for identity in known] if samples.cells else [],
        probabilities=Model(contract, onnx).predict(asked).astype(float).tolist(),
    )
