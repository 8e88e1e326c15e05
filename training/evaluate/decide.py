"""The gate's decision on a candidate: against the champion of this moment, both scored now."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.dataset.columns import Columns
from andamio.errors import ReleaseError
from andamio.gate import rules as gate
from andamio.records.encode import encode
from andamio.records.parse import parse_typed
from andamio.release.pointer import Served, read_pointer
from andamio.release.release import MODEL, Release
from andamio.storage import layout
from andamio.storage.ports import Objects
from training import reference, rows
from training.documents import TrainingPlan
from training.evaluate import guards, slices
from training.evaluate import recent as arrived
from training.evaluate.documents import Evaluation, GateDecision
from training.evaluate.evaluate import Candidate, load_candidate, out_of_fold
from training.rows import TrainingRows
from training.run import EVALUATION_FILE, Run, decision_file


def decide(lake: Objects, models: Objects, run_id: str) -> GateDecision:
    """Judge the run's candidate against the pointer as it is now, and write the decision.

    One decision for each state of the pointer: asked again about the same state, the stored one is returned.
    A champion that is not what was sealed counts as absent, and the decision says so.
    """
    run = Run(run_id, models)
    planned = run.plan()
    evaluation = run.need(EVALUATION_FILE, Evaluation, "evaluate")
    pointer, etag = read_pointer(models, planned.problem)
    champion, unreadable = _open(models, pointer.champion)
    name = decision_name(pointer.revision, etag) + ("-unreadable" if unreadable else "")

    def compute() -> GateDecision:
        candidate = load_candidate(run)
        verdict, refused = judge(lake, run, planned, candidate, evaluation, champion)
        verdict = gate.tried(verdict, _tries(models, name, planned.dataset, run_id))
        if unreadable:
            verdict = dataclasses.replace(verdict, reason=f"{verdict.reason} {unreadable}")
        found = {
            **verdict.to_dict(),
            "run": run_id,
            "dataset": planned.dataset,
            "split": planned.split,
            "decision": name,
            "revision": pointer.revision,
            "etag": etag,
            "champion": dataclasses.asdict(pointer.champion) if pointer.champion else None,
            "champion_unreadable": unreadable,
            "rows_champion_would_refuse": refused,
            "low_evidence": evaluation.low_evidence,
            "holdout": evaluation.metrics[evaluation.metric].model_dump(),
            "latency_ms": evaluation.latency_ms,
            "size_bytes": evaluation.size_bytes,
            "success": evaluation.success.model_dump() if evaluation.success else None,
        }
        return GateDecision.model_validate(found, strict=False)  # the gate's tuples are lists in JSON

    return run.once(decision_file(name), GateDecision, compute)


def _open(models: Objects, served: Served | None) -> tuple[ScoredChampion | None, str | None]:
    """The champion, opened, or None and what is wrong with it."""
    if served is None:
        return None, None
    try:
        return ScoredChampion.load(models, served), None
    except ReleaseError as error:
        return None, f"The champion counts as absent: it cannot be read ({error})."


def _tries(models: Objects, decision: str, version: str, run_id: str) -> int:
    """How many runs were judged at this state of the pointer on this data version, this one noted among them."""
    models.put_new(layout.judged(decision, version, run_id), b"")
    return sum(1 for _ in models.list(layout.judged(decision, version)))


def decision_name(revision: int, etag: str | None) -> str:
    """What a decision is stored under: the revision, told apart from an earlier pointer that had the same one."""
    return str(revision) if etag is None else f"{revision}-{hashlib.sha256(etag.encode()).hexdigest()[:8]}"


@dataclasses.dataclass(frozen=True)
class ScoredChampion:
    """The release in service, opened."""

    served: Served
    release: Release
    contract: Contract

    @classmethod
    def load(cls, models: Objects, served: Served) -> ScoredChampion:
        """Open the release that the pointer names; raises `ReleaseError` when it is not what it was."""
        release = Release.open(models, served.release)
        for name in (MODEL, "out_of_fold.json"):
            release.read(name)
        return cls(served, release, release.contract())

    def out_of_fold(self) -> gate.OutOfFold:
        """Its sealed out-of-fold scores."""
        return reference.read_out_of_fold(self.release.read("out_of_fold.json"))

    @property
    def identity(self) -> str:
        """What it is to a client: its graph, the contract it was sealed with, its threshold."""
        return identity(self.release.files[MODEL], self.contract, self.release.info["threshold"])


def judge(
    lake: Objects,
    run: Run,
    planned: TrainingPlan,
    candidate: Candidate,
    evaluation: Evaluation,
    champion: ScoredChampion | None,
) -> tuple[gate.Decision, int]:
    """The gate's verdict, and how many holdout rows the champion's own contract would have refused.

    A champion with other classes is not compared with; whatever the scores say, the guards come last.
    """
    contract, version = candidate.contract, planned.dataset
    columns = dataset.read_columns(lake, version, "holdout")
    held = rows.encode_rows(contract, columns, version=version)
    rules = gate.Rules(
        metric=contract.training.metric,
        confidence=contract.gate.confidence,
        min_gain=contract.gate.min_gain,
        positive=contract.positive_index,
        seed=planned.seed,
    )
    files = candidate.fit.files
    challenger = gate.Contender(
        name=f"the {candidate.fit.family.replace('_', ' ')} of run {candidate.fit.run}",
        identity=identity(files[MODEL], contract, candidate.fit.threshold),
        graph=files[MODEL],
        split=planned.split,
        probabilities=candidate.model.predict(held.encoded),
        threshold=candidate.fit.threshold,
    )
    shares = np.asarray(candidate.fit.class_rows, dtype=np.float64)
    prior = shares / shares.sum()
    holdout = gate.Holdout(held.labels, np.asarray(held.keys, dtype=np.str_), planned.split)
    few = gate.low_evidence(np.bincount(held.labels, minlength=len(contract.classes)).tolist())
    honest = out_of_fold(run, candidate) if few else None
    alone = (honest, None) if honest else None
    if champion is not None and champion.contract.classes != contract.classes:
        verdict = gate.decide(holdout, challenger, None, prior, rules, out_of_fold=alone)
        return gate.guarded(_other_classes(verdict, champion, contract), guards.of_figures(candidate, evaluation)), 0
    if champion is None:
        verdict = gate.decide(holdout, challenger, None, prior, rules, out_of_fold=alone)
        return gate.guarded(verdict, guards.of_figures(candidate, evaluation)), 0
    against, refused = _contender(champion, columns, held, contract.positive_index)
    recent = arrived.since(lake, champion.release.info["dataset"], columns)
    holdout = dataclasses.replace(holdout, recent=recent)
    both = (honest, champion.out_of_fold()) if honest else None
    verdict = gate.decide(holdout, challenger, against, prior, rules, out_of_fold=both)
    found = guards.of_figures(candidate, evaluation)
    if verdict.gain is not None and verdict.evidence == "holdout":
        train = rows.typed_table(contract, dataset.read_columns(lake, version, "train"), version=version)
        parts = slices.slices(contract, train, held.table)
        found.append(guards.of_slices(contract, holdout, challenger, against, parts, rules))
    return gate.guarded(verdict, found), refused


def _contender(
    champion: ScoredChampion, columns: Columns, holdout: TrainingRows, positive: int
) -> tuple[gate.Contender, int]:
    """The champion, scored through its own contract; a cell that it would refuse counts as missing."""
    table = parse_typed(champion.contract, columns, len(holdout.labels), training=False)
    threshold = champion.release.info["threshold"]
    same_positive = champion.contract.positive_index == positive
    contender = gate.Contender(
        name=f"release {champion.served.release}",
        identity=champion.identity,
        graph=champion.release.files[MODEL],
        split=champion.release.info["split"],
        probabilities=champion.release.model().predict(encode(champion.contract, table)),
        threshold=threshold if same_positive else 1 - threshold,
    )
    return contender, int(table.bad.sum())


def _other_classes(verdict: gate.Decision, champion: ScoredChampion, contract: Contract) -> gate.Decision:
    return dataclasses.replace(
        verdict,
        outcome="rejected",
        rule="other_classes",
        against=f"release {champion.served.release}",
        reason=(
            f"Release {champion.served.release} tells {', '.join(champion.contract.classes)} apart, this model "
            f"{', '.join(contract.classes)}: they cannot be compared. To start over with the new classes, delete the "
            f"pointer serving/{contract.problem.name}.json: the next model is then judged against the majority class."
        ),
    )


def identity(model: str, contract: Contract, threshold: float) -> str:
    """One digest of all that a client can tell two models apart by; how they were trained is not part of it."""
    return hashlib.sha256(f"{model}\n{contract.served_digest}\n{threshold}".encode()).hexdigest()


def summary(written: GateDecision, attempt: int) -> dict[str, Any]:
    """What the state machine needs of a decision: names and small numbers."""
    return {
        "status": written.outcome,
        "run": written.run,
        "decision": written.decision,
        "attempt": attempt,
        "metric": written.metric,
        **written.holdout.model_dump(),
        "probability": written.probability,
        "against": written.against,
        "champion": written.champion.release if written.champion else None,
    }
