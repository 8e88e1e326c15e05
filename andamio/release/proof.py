"""The proof that training and serving prepare alike: records of train as they are sent, and the model's answers.

ETL keeps some records of raw data, with made-up values where a column is private; a fit adds the probabilities of the
rows that ETL made of them; whoever serves the release sends the records through its own reading and its own code, and
compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from andamio.contract import Contract
from andamio.errors import InvalidRecord, ReleaseError, Violation
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared
from andamio.prepare.samples import TextCells
from andamio.records.cells import Cells
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.storage.documents import Document

TOLERANCE = 1e-5
"""By how much two answers may differ, absolutely or relatively: float32, and the vector units of another processor."""


class Proof(Document):
    """`proof.json` of a release: records as they are sent, and the probabilities `[records, classes]` of the model.

    `cells` are the records as a file of text has them, or empty.
    """

    records: list[dict[str, Any]]
    cells: list[TextCells | None] = Field(default_factory=list)
    probabilities: list[list[float]]


def prove(
    version: str,
    contract: Contract,
    code: OwnCode | None,
    proof: Proof,
    predict: Callable[[Encoded], NDArray[np.float32]],
) -> None:
    """Raise `ReleaseError` where a record of the proof, sent to this very process, has another probability.

    It is sent as a request does it, and as a file of text where it came from one.
    """
    cells = proof.cells or [None] * len(proof.records)
    for record, texts, expected in zip(proof.records, cells, proof.probabilities, strict=True):
        for sent in _sent(version, contract, record, texts):
            table = prepared(contract, code, sent)
            if table.violations:
                raise _refused(version, table.violations[0])
            found = predict(encode(contract, table))[0]
            if not np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
                raise _differs(version, "the same record has another probability here than in training")


def _sent(version: str, contract: Contract, record: dict[str, Any], texts: TextCells | None) -> Iterator[Table]:
    try:
        yield parse_records(contract.sent, [record])
    except InvalidRecord as error:
        raise _refused(version, error.violations[0]) from None
    if texts is not None:
        columns: dict[str, Cells] = {name: [cell] for name, cell in texts.cells.items()}
        yield parse(contract.sent, columns, 1, text=True, decimal=texts.decimal)


def _refused(version: str, first: Violation) -> ReleaseError:
    return _differs(version, f"a record of train is refused here: {first.field or 'the record'} {first.reason}")


def _differs(version: str, why: str) -> ReleaseError:
    message = (
        f"release {version}: {why}. What prepare.py makes of a record must not depend on when and where it runs: it "
        "uses no clock, no random number and no file"
    )
    return ReleaseError(message, file="proof.json", fault="no-parity")
