"""The proof that training and serving prepare alike: records of train as they are sent, and the model's answers.

ETL keeps some records of raw data; a fit adds the probabilities of the rows that ETL made of them; whoever serves the
release sends the records through its own reading and its own code, and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.errors import ReleaseError
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records
from andamio.storage.documents import Document

TOLERANCE = 1e-5
"""By how much two answers may differ, absolutely or relatively: float32, and the vector units of another processor."""


class Proof(Document):
    """`proof.json` of a release: records as they are sent, and the probabilities `[records, classes]` of the model."""

    records: list[dict[str, Any]]
    probabilities: list[list[float]]


def prove(
    version: str,
    contract: Contract,
    code: OwnCode | None,
    proof: Proof,
    predict: Callable[[Encoded], NDArray[np.float32]],
) -> None:
    """Raise `ReleaseError` where a record of the proof, sent to this very process, has another probability."""
    for record, expected in zip(proof.records, proof.probabilities, strict=True):
        table = prepared(contract, code, parse_records(contract.sent, [record]))
        if table.violations:
            first = table.violations[0]
            raise _differs(version, f"a record of train is refused here: {first.field or 'the record'} {first.reason}")
        found = predict(encode(contract, table))[0]
        if not np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            raise _differs(version, "the same record has another probability here than in training")


def _differs(version: str, why: str) -> ReleaseError:
    message = (
        f"release {version}: {why}. What prepare.py makes of a record must not depend on when and where it runs: it "
        "uses no clock, no random number and no file"
    )
    return ReleaseError(message, file="proof.json", fault="no-parity")


def proof_of(
    samples: Mapping[str, dict[str, Any]], rows: Mapping[str, int], encoded: Encoded, predict: Callable[[Encoded], Any]
) -> Proof:
    """The proof of a model: `rows` says where each row of train is in `encoded`, by its identity."""
    known = [identity for identity in samples if identity in rows]
    places = np.array([rows[identity] for identity in known], dtype=np.int64)
    probabilities = predict(encoded.take(places)).astype(float).tolist() if known else []
    return Proof(records=[samples[identity] for identity in known], probabilities=probabilities)
