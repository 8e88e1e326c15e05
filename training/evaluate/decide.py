"""The gate's decision on a candidate: against the champion of this moment, both scored now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.dataset.columns import Columns
from andamio.errors import ReleaseError
from andamio.gate import rules as gate
from andamio.records.encode import encode
from andamio.records.parse import parse_typed
from andamio.release.pointer import Pointer, PointerEntry, Withdrawn, read_pointer
from andamio.release.release import MODEL, Release, identity
from andamio.release.samples import OutOfFoldScores
from andamio.storage import layout
from andamio.storage.ports import Objects
from training import reference, rows
from training.documents import FittedModel, TrainingPlan
from training.evaluate import guards, slices
from training.evaluate import recent as recent_rows
from training.evaluate.documents import Evaluation, GateDecision, Promotion
from training.evaluate.evaluate import Candidate, load_candidate, out_of_fold
from training.evaluate.seen import by_champion_alone
from training.events import DecisionSummary
from training.rows import TrainingRows
from training.run import EVALUATION_FILE, Run, decision_file, promotion_file


def decide(lake: Objects, models: Objects, run_id: str) -> GateDecision:
    """Judge the run's candidate against the pointer as it is now, and write the decision.

    One decision for each state of the pointer: asked again about the same state, the stored one is returned. So is
    the decision that promoted this very run, until the promotion is complete.
    A champion that is not what was sealed counts as absent, and the decision says so.
    """
    run = Run(run_id, models)
    plan = run.plan()
    evaluation = run.need(EVALUATION_FILE, Evaluation, "evaluate")
    pointer, etag = read_pointer(models, plan.problem)
    if promoting := _incomplete_promotion(run, pointer):
        return promoting
    champion, unreadable = _open(models, pointer.champion)
    name = decision_name(pointer.revision, etag) + ("-unreadable" if unreadable else "")

    def compute() -> GateDecision:
        candidate = load_candidate(run)
        judged = judge(lake, run, plan, candidate, evaluation, champion)
        model = identity(candidate.fit.files[MODEL], candidate.contract, candidate.fit.decides)
        verdict = _unless_withdrawn(judged.verdict, pointer.withdrawal_of(run=run_id, identity=model))
        verdict = gate.with_attempt_number(verdict, _attempt_number(models, name, plan.dataset, run_id))
        fields = dict(verdict)
        if judged.trained_on and (verdict.gain is not None or verdict.evidence == "cross_validation"):
            fields["reason"] = f"{fields['reason']} {_left_out(judged.trained_on)}"
        if unreadable:
            fields["reason"] = f"{fields['reason']} {unreadable}"
        if plan.because:
            fields["reason"] = f"{fields['reason']} The watch started this training. {plan.because}."
        return GateDecision(
            **fields,
            run=run_id,
            dataset=plan.dataset,
            split=plan.split,
            decision=name,
            revision=pointer.revision,
            etag=etag,
            champion=pointer.champion,
            champion_unreadable=unreadable,
            rows_champion_would_refuse=judged.refused,
            rows_champion_was_trained_on=judged.trained_on,
            low_evidence=judged.low_evidence,
            holdout=evaluation.metrics[evaluation.metric],
            latency_ms=evaluation.latency_ms,
            size_bytes=evaluation.size_bytes,
            success=evaluation.success,
        )

    return run.once(decision_file(name), GateDecision, compute)


def _unless_withdrawn(verdict: gate.Decision, withdrawal: Withdrawn | None) -> gate.Decision:
    """The verdict, but a model that was withdrawn is not promoted again, whatever the figures say."""
    if withdrawal is None or verdict.outcome != "promoted":
        return verdict
    reason = (
        f"This model served as release {withdrawal.release} and was withdrawn at {withdrawal.at} "
        f"({withdrawal.reason}). To let it serve nevertheless: andamio promote {withdrawal.release} --force"
    )
    return verdict.model_copy(update={"outcome": "rejected", "rule": "withdrawn", "reason": reason})


def _incomplete_promotion(run: Run, pointer: Pointer) -> GateDecision | None:
    """The decision by which this run came to serve, where promotion stopped between the pointer and MLflow.

    That of a challenger holds as long as its trial, which would begin anew with another.
    """
    entry = next((one for one in (pointer.champion, pointer.challenger) if one is not None and one.run == run.id), None)
    if entry is None:
        return None
    try:
        decision = Release.open(run.models, entry.release).document("decision.json", GateDecision)
    except ReleaseError:
        return None
    is_complete = entry is not pointer.challenger and run.find(promotion_file(decision.decision), Promotion) is not None
    return None if is_complete or decision.outcome != "promoted" else decision


def _open(models: Objects, entry: PointerEntry | None) -> tuple[ScoredChampion | None, str | None]:
    """The champion, opened, or None and what is wrong with it."""
    if entry is None:
        return None, None
    try:
        return ScoredChampion.load(models, entry), None
    except ReleaseError as error:
        return None, f"The champion counts as absent: it cannot be read ({error})."


def _attempt_number(models: Objects, decision: str, version: str, run_id: str) -> int:
    """How many runs were judged at this state of the pointer on this data version, this one among them."""
    models.put_new(layout.gate_attempts(decision, version, run_id), b"")
    return sum(1 for _ in models.list(layout.gate_attempts(decision, version)))


def decision_name(revision: int, etag: str | None) -> str:
    """The name of a decision: the revision, with a digest that distinguishes pointers of the same revision."""
    return str(revision) if etag is None else f"{revision}-{hashlib.sha256(etag.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class ScoredChampion:
    """The release in service, opened."""

    pointer_entry: PointerEntry
    release: Release
    contract: Contract

    @classmethod
    def load(cls, models: Objects, pointer_entry: PointerEntry) -> ScoredChampion:
        """Open the release that the pointer names; raises `ReleaseError` when it is not what it was."""
        release = Release.open(models, pointer_entry.release)
        for name in (MODEL, "out_of_fold.json"):
            release.read(name)
        return cls(pointer_entry, release, release.contract())

    def out_of_fold(self) -> gate.OutOfFold:
        """Its sealed out-of-fold scores."""
        return reference.out_of_fold_of(self.release.document("out_of_fold.json", OutOfFoldScores))

    @property
    def identity(self) -> str:
        """What it is to a client."""
        return self.release.identity()


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's verdict, and how many holdout rows the champion's own contract would have refused.

    `trained_on` are the rows that it was trained on and the candidate was not: nobody was compared on them. Of what is
    left `low_evidence` speaks.
    """

    verdict: gate.Decision
    low_evidence: bool
    refused: int = 0
    trained_on: int = 0


def _left_out(count: int) -> str:
    rows_were = "1 holdout row was" if count == 1 else f"{count:,} holdout rows were"
    return f"{rows_were} left out: the champion was trained on that data, and this model was not."


def judge(
    lake: Objects,
    run: Run,
    plan: TrainingPlan,
    candidate: Candidate,
    evaluation: Evaluation,
    champion: ScoredChampion | None,
) -> Judged:
    """The gate's verdict on a candidate.

    A champion with other classes is not compared with; whatever the scores say, the guards come last.
    """
    contract, version = candidate.contract, plan.dataset
    columns = dataset.read_columns(lake, version, "holdout")
    recent, trained_on = None, 0
    if champion is not None and _comparable(champion.contract, contract):
        before = champion.release.info["dataset"]
        recent = recent_rows.since(lake, before, columns)
        unseen = ~by_champion_alone(lake, contract, before, version, columns)
        trained_on = int((~unseen).sum())
        if trained_on:
            columns = {name: column[unseen] for name, column in columns.items()}
            recent = None if recent is None else recent[unseen]
    holdout_rows = rows.encode_rows(contract, columns, version=version)
    rules = gate.Rules(
        metric=contract.training.metric,
        confidence=contract.gate.confidence,
        min_gain=contract.gate.min_gain,
        positive=contract.positive_index,
        seed=plan.seed,
        floor=contract.task.floor,
    )
    files = candidate.fit.files
    challenger = gate.Contender(
        name=f"the {candidate.fit.family.replace('_', ' ')} of run {candidate.fit.run}",
        identity=identity(files[MODEL], contract, candidate.fit.decides),
        graph=files[MODEL],
        split=plan.split,
        probabilities=candidate.model.predict(holdout_rows.encoded),
        threshold=candidate.fit.threshold,
    )
    prior = _floor(candidate.fit)
    holdout = gate.Holdout(holdout_rows.labels, np.asarray(holdout_rows.keys, dtype=np.str_), plan.split)
    counts = gate.class_rows(holdout_rows.labels, len(contract.classes))
    has_low_evidence = gate.low_evidence(counts, len(holdout_rows.labels))
    out_of_fold_scores = out_of_fold(run, candidate) if has_low_evidence else None
    own_scores = (out_of_fold_scores, None) if out_of_fold_scores else None
    if champion is not None and not _comparable(champion.contract, contract):
        verdict = gate.decide(holdout, challenger, None, prior, rules, out_of_fold=own_scores)
        verdict = _other_classes(verdict, champion, contract)
        return Judged(gate.apply_guards(verdict, guards.of_figures(candidate, evaluation)), has_low_evidence)
    if champion is None:
        verdict = gate.decide(holdout, challenger, None, prior, rules, out_of_fold=own_scores)
        return Judged(gate.apply_guards(verdict, guards.of_figures(candidate, evaluation)), has_low_evidence)
    against, refused_rows = _contender(champion, columns, holdout_rows, contract.positive_index)
    holdout = replace(holdout, recent=recent)
    both_scores = (out_of_fold_scores, champion.out_of_fold()) if out_of_fold_scores else None
    verdict = gate.decide(holdout, challenger, against, prior, rules, out_of_fold=both_scores)
    guard_results = guards.of_figures(candidate, evaluation)
    if verdict.gain is not None and verdict.evidence == "holdout":
        with dataset.open_columns(lake, version, "train") as train:
            checked = rows.CheckedColumns(contract, train, version=version)
            parts = slices.slices(contract, checked, holdout_rows.table)
        guard_results.append(guards.of_slices(contract, holdout, challenger, against, parts, rules))
    return Judged(gate.apply_guards(verdict, guard_results), has_low_evidence, refused_rows, trained_on)


def _floor(fit: FittedModel) -> NDArray[np.float64]:
    """What a model without a feature says of every row `[outputs]`."""
    if fit.median is not None:
        return np.array([fit.median])
    shares = np.asarray(fit.class_rows, dtype=np.float64)
    return shares / shares.sum()


def _comparable(one: Contract, other: Contract) -> bool:
    """Whether two models answer the same question: the same classes, or numbers in the same unit."""
    first, second = one.task, other.task
    return first.name == second.name and first.outputs == second.outputs and one.problem.unit == other.problem.unit


def _contender(
    champion: ScoredChampion, columns: Columns, holdout: TrainingRows, positive: int
) -> tuple[gate.Contender, int]:
    """The champion, scored through its own contract; a cell that it would refuse counts as missing."""
    table = parse_typed(champion.contract, columns, len(holdout.labels), training=False)
    threshold = champion.release.info["threshold"]
    same_positive = champion.contract.positive_index == positive
    contender = gate.Contender(
        name=f"release {champion.pointer_entry.release}",
        identity=champion.identity,
        graph=champion.release.files[MODEL],
        split=champion.release.info["split"],
        probabilities=champion.release.model().predict(encode(champion.contract, table)),
        threshold=threshold if same_positive else 1 - threshold,
    )
    return contender, int(table.bad.sum())


def _other_classes(verdict: gate.Decision, champion: ScoredChampion, contract: Contract) -> gate.Decision:
    release, task = champion.pointer_entry.release, contract.task
    reason = (
        f"Release {release} {champion.contract.task.answers}, this model {task.answers}: they cannot be "
        f"compared. To start over with {task.start_over}, delete the pointer "
        f"serving/{contract.problem.name}.json: the next model is then judged against the "
        f"{task.floor.replace('_', ' ')}."
    )
    changed = {"outcome": "rejected", "rule": "other_classes", "against": f"release {release}", "reason": reason}
    return verdict.model_copy(update=changed)


def summary(decision: GateDecision, attempt: int) -> DecisionSummary:
    """What the state machine needs of a decision."""
    return DecisionSummary(
        status=decision.outcome,
        run=decision.run,
        decision=decision.decision,
        attempt=attempt,
        metric=decision.metric,
        **dict(decision.holdout),
        probability=decision.probability,
        against=decision.against,
        champion=decision.champion.release if decision.champion else None,
    )
