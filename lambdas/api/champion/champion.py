"""The champion as the API holds it: a release that was opened, checked, and has answered once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.errors import ReleaseError
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.answers import Answers, sealed_answers
from andamio.release.explain import Reference, read_reference, rows_for
from andamio.release.model import Model
from andamio.release.pointer import PointerEntry
from andamio.release.proof import Proof, prove
from andamio.release.release import MODEL, PROOF, Release, code_for
from andamio.release.samples import ReferenceRows
from andamio.storage.ports import Objects
from lambdas.api.replies.problems import RequestError
from lambdas.api.replies.reply import encode as encode_json
from lambdas.api.replies.reply import travelling
from lambdas.api.requests.records import LONGEST_ID

_REFERENCE = "reference.json"
_LONGEST_CHARACTER = "\U0001f600"


@dataclass(frozen=True)
class Champion:
    """A release in service. `since` in ISO 8601 (UTC); `hidden` are the features that are never logged.

    `allowed` are the names that a record may have: the inputs, and the column with its time. `code` prepares records.
    `mixtures` is how many rows its model may be asked about in one explanation.
    """

    release: Release
    since: str
    run: str
    contract: Contract
    model: Model
    answers: Answers
    hidden: frozenset[str]
    allowed: frozenset[str]
    mixtures: int
    code: OwnCode | None = None
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def version(self) -> str:
        """The release's version."""
        return self.release.version

    @cached_property
    def reply_bytes(self) -> int:
        """Bytes that one prediction has in a reply, at most."""
        of_one = {
            "prediction_id": "f" * 32,
            "record_id": _LONGEST_CHARACTER * LONGEST_ID,
            "model": {"name": self.contract.problem.name, "version": self.version},
            "audit": False,
        }
        answer = max(travelling(encode_json(fields)) for fields in self.answers.longest())
        return travelling(encode_json(of_one)) + answer

    @property
    def ignored(self) -> tuple[str, ...]:
        """The features that were empty or constant in train, which the model does not see."""
        return tuple(self.release.info.get("ignored", ()))

    def document(self, name: str) -> dict[str, Any]:
        """One of the release's JSON files, read and checked once; raises `ReleaseError`."""
        if name not in self._kept:
            self._kept[name] = self.release.json(name)
        content: dict[str, Any] = self._kept[name]
        return content

    def reference(self) -> Reference:
        """The rows that predictions are explained against, read, checked, encoded and scored once.

        Raises `RequestError` (503) when the release keeps none, `ReleaseError` when it is not
        what was sealed.
        """
        if _REFERENCE not in self._kept:
            document = self.release.document(_REFERENCE, ReferenceRows)
            if not document.rows:
                raise RequestError(
                    "no-reference",
                    f"Release {self.version} keeps no reference rows to explain against. Train again: the next "
                    "release brings them.",
                )
            self._kept[_REFERENCE] = read_reference(self.contract, document, self.ignored).scored(self.model.predict)
        found: Reference = self._kept[_REFERENCE]
        return found


def load(
    objects: Objects, served: PointerEntry, hidden: frozenset[str] = frozenset(), code: OwnCode | None = None
) -> Champion:
    """Open a release and score its example; raises `ReleaseError` when it must not be served.

    Features in `hidden` are not logged, nor are those that the release's own contract marks private.
    """
    release = Release.open(objects, served.release)
    contract = release.contract()
    fitting = code_for(release.version, contract, code)
    answers = sealed_answers(release, contract)
    onnx = release.read(MODEL)
    champion = Champion(
        release=release,
        since=served.since,
        run=served.run,
        contract=contract,
        model=Model(contract, onnx),
        answers=answers,
        hidden=frozenset(contract.private) | hidden,
        allowed=frozenset(
            {*contract.sent.inputs, *([contract.problem.time] if contract.problem.time is not None else [])}
        ),
        mixtures=rows_for(len(onnx)),
        code=fitting,
    )
    _prove(champion)
    return champion


def _prove(champion: Champion) -> None:
    """Score the contract's own example: a model that cannot do that would fail every request.

    Of a release with a proof its records too, from what is sent to the answer.
    """
    sent = champion.contract.sent
    table = prepared(champion.contract, champion.code, parse_records(sent, [example_record(sent)]))
    if table.violations:
        raise ReleaseError(f"release {champion.version}: its example is refused: {table.violations[0].reason}")
    fault = champion.answers.fault(champion.model.predict(encode(champion.contract, table)))
    if fault is not None:
        raise ReleaseError(f"release {champion.version}: {fault}")
    if PROOF in champion.release.files:
        proof = champion.release.document(PROOF, Proof)
        prove(champion.version, champion.contract, champion.code, proof, champion.model.predict)
