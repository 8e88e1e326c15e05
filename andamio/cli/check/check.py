"""The command: one check after another, each printed as it ends, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from andamio.cli.check import bad_values, estimate, families
from andamio.cli.check.first_model import Outlook, outlook
from andamio.cli.check.rehearsal import Rehearsal, rehearse
from andamio.cli.check.sample import sampled
from andamio.cli.console import done, err, fail, from_here, out, step
from andamio.cli.models.own_code import check_pipeline, check_prepare
from andamio.cli.models.sample import first_record, sample_files
from andamio.contract import Contract
from andamio.dataset.documents import AuditEntry
from andamio.errors import AndamioError, CheckFailed, InvalidRecord, TrainingError
from andamio.prepare.code import of_folder
from andamio.tabular.read_as import assumptions
from etl.audit.suspects import ALONE, COPY, DUPLICATES, MISSING, NEAR_DUPLICATES
from etl.validate import absent_columns
from training.families.trainable import families_asked
from training.own.fit import OwnPipeline
from training.rows import TrainingRows

_REASONS = 8
_SHOWN = 8
_EXAMPLES = 6
_TOO_GOOD = 0.999
"""The explained share of a number's variance from which on columns may give the target away together."""
_EXPLAINS = (COPY, ALONE, MISSING, DUPLICATES, NEAR_DUPLICATES)
"""Suspects of the audit that are a simpler reason for such a score."""


@dataclass
class Findings:
    """What the checks found: `failures` would stop a deployment or a training, `warnings` would not."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def passed(self, text: str) -> None:
        """Print what is in order."""
        done(text)

    def warn(self, text: str) -> None:
        """Note and print what a person should look at."""
        self.warnings.append(text)
        err.print(f"[yellow]![/yellow] {escape(text)}")

    def failed(self, text: str) -> None:
        """Note and print what would fail."""
        self.failures.append(text)
        fail(text)


def check(folder: Path) -> Findings:
    """Check a problem folder; raises `CheckFailed` when something would fail, after all has been printed."""
    folder = folder.parent if folder.is_file() else folder
    findings = Findings()
    contract = _contract(folder, findings)
    if contract is not None:
        rehearsal = _data(folder, contract, findings) if _own_code(folder, contract, findings) else None
        _bad_values(folder, contract, findings)
        if rehearsal is not None and rehearsal.manifest is not None:
            _training(folder, contract, rehearsal, findings)
    place = from_here(folder)
    if findings.failures:
        many = len(findings.failures)
        raise CheckFailed(
            f"{many} {'thing' if many == 1 else 'things'} would fail. Correct {place}/problem.toml or the data, "
            f"then: andamio check {place}"
        )
    note = f" {len(findings.warnings)} to look at." if findings.warnings else ""
    out.print(f"{escape(place)} is sound.{note} Next: make demo PROBLEM={escape(place)}", soft_wrap=True)
    return findings


def _contract(folder: Path, findings: Findings) -> Contract | None:
    try:
        contract = Contract.load(folder)
    except AndamioError as error:
        findings.failed(str(error))
        return None
    kinds = [feature.type for feature in contract.inputs.values()]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    hidden = len(contract.features) - len(contract.inputs)
    also = f"; {hidden} known only afterwards" if hidden else ""
    findings.passed(f"contract: {contract.problem.task}, target '{contract.problem.target}', {counts}{also}")
    return contract


def _own_code(folder: Path, contract: Contract, findings: Findings) -> bool:
    """Whether prepare.py can be used; true where there is none."""
    if contract.prepare is None:
        return True
    try:
        with step("Trying prepare.py row by row"):
            check_prepare(folder, contract)
    except AndamioError as error:
        findings.failed(str(error))
        return False
    sent, made = len(contract.sent.inputs), len(contract.made)
    findings.passed(f"prepare.py: {made} features of {sent} columns that are sent, each row's from that row alone")
    return True


def _data(folder: Path, contract: Contract, findings: Findings) -> Rehearsal | None:
    try:
        files = sample_files(folder, contract)
        with step("Reading the data as ETL does"):
            read = {path.name: sampled(path, contract.sent) for path in files}
            code = of_folder(contract, folder)
            rehearsal = rehearse(contract, {name: body for name, (body, _) in read.items()}, code)
    except AndamioError as error:
        findings.failed(str(error))
        return None
    for name, (_, rows) in read.items():
        if rows is not None:
            err.print(f"  {escape(name)} is large: what follows is about a random sample of {rows:,} rows")
    info = rehearsal.info
    if info is not None:
        for file in info.files:
            if file.refused:
                findings.failed(f"data: {file.key.removeprefix('raw/')} {file.refused}")
            for text in assumptions(file.read_as):
                findings.warn(f"data: {file.key.removeprefix('raw/')} {text}")
        for text in absent_columns(info.files):
            findings.warn(f"data: {text}")
        if info.rows.rejected:
            findings.warn(f"data: {info.rows.rejected:,} of {info.rows.read:,} rows are rejected, by reason:")
            for reason in info.reasons[:_REASONS]:
                where = f"{reason.column}: " if reason.column else ""
                err.print(f"    {reason.rows:>7,}  {escape(where + reason.reason)}")
            for text in info.first[:2]:
                err.print(f"    such as {escape(text.removeprefix('raw/'))}")
        for name, rows in info.coerced.items():
            findings.warn(f"data: {rows:,} values of '{name}' are out of range and count as missing")
    if rehearsal.refused:
        findings.failed(f"data: {rehearsal.refused}")
        return rehearsal
    assert rehearsal.manifest is not None
    assert info is not None
    rows_of = rehearsal.manifest.rows
    findings.passed(
        f"data: {info.rows.valid:,} valid rows, {rows_of.train:,} to train on and {rows_of.holdout:,} held out"
    )
    _audit(contract, rehearsal, findings)
    return rehearsal


def _audit(contract: Contract, rehearsal: Rehearsal, findings: Findings) -> None:
    assert rehearsal.audit is not None
    audit = rehearsal.audit
    report = findings.failed if contract.training.leakage == "stop" else findings.warn
    for suspect in audit.suspects:
        report(f"leakage: {suspect.message}")
    for finding in audit.findings:
        findings.warn(f"data: {finding.message}")
    if not audit.suspects:
        findings.passed(f"leakage audit: no suspect among {len(contract.inputs)} features")


def _bad_values(folder: Path, contract: Contract, findings: Findings) -> None:
    try:
        record = first_record(sample_files(folder, contract)[0], contract)
        refusals = list(bad_values.refusals(contract.sent, record))
    except InvalidRecord as error:
        findings.failed(f"bad values: not even the example is a record: {error}")
        return
    except AndamioError:
        return  # the data were reported already
    accepted = [refusal for refusal in refusals if not refusal.reason]
    for refusal in accepted:
        findings.failed(f"bad values: '{refusal.field}' accepts {refusal.sent}")
    if accepted:
        return
    findings.passed(
        f"bad values: {len(refusals)} of {len(refusals)} are refused with their field and a reason, such as"
    )
    examples = {refusal.code: refusal for refusal in refusals}
    for refusal in list(examples.values())[:_EXAMPLES]:
        err.print(f"    {escape(f'{refusal.field} ({refusal.sent}): {refusal.reason}')}", soft_wrap=True)


def _own_pipeline(folder: Path, contract: Contract, findings: Findings) -> OwnPipeline | None:
    try:
        return check_pipeline(folder, contract)
    except AndamioError as error:
        findings.failed(f"pipeline.py: {error}")
        return None


def _training(folder: Path, contract: Contract, rehearsal: Rehearsal, findings: Findings) -> None:
    assert rehearsal.manifest is not None
    own = _own_pipeline(folder, contract, findings)
    with step("Training each family on a sample"):
        sealed, train = families.training_rows(rehearsal.lake, contract, rehearsal.manifest.version)
    results = []
    for name in families_asked(contract, own=own is not None):
        with step(f"Training {name}"):
            results.append(families.trained(sealed, train, name, own))
    works = [result for result in results if not result.why]
    report: Callable[[str], None] = findings.warn if works else findings.failed
    for result in results:
        if result.why:
            report(f"training: {result.family} would be left out: {result.why}")
    if not works:
        return
    largest = max(works, key=lambda result: result.size_bytes)
    slowest = max(works, key=lambda result: result.latency_ms)
    exact = max(result.difference for result in works)
    findings.passed(
        f"training: {len(works)} of {len(results)} families train on {works[0].rows[1]} rows and export with parity "
        f"(largest difference {exact:.1g})"
    )
    limit = contract.gate.max_latency_ms
    if slowest.latency_ms > limit:
        findings.warn(
            f"training: {slowest.family} answers in {slowest.latency_ms:.1f} ms here, and [gate] max_latency_ms is "
            f"{limit:g}"
        )
    _estimate(contract, works, train, largest, findings)
    _first_model(sealed, rehearsal, works, train, own, findings)


def _estimate(
    contract: Contract,
    works: list[families.Trained],
    train: TrainingRows,
    largest: families.Trained,
    findings: Findings,
) -> None:
    rows = len(train.labels)
    found = estimate.estimate(contract, works, rows)
    where = "functions" if found.function else "Fargate tasks, for the data are too large for a function"
    findings.passed(
        f"estimate: {found.fits} fits on {rows:,} rows, about {_minutes(found.here)} here and {_minutes(found.aws)} on "
        f"AWS (in {where}); a model of {largest.size_bytes / 2**20:.1f} MB or more ({largest.family}, on the sample)"
    )


def _first_model(
    contract: Contract,
    rehearsal: Rehearsal,
    works: list[families.Trained],
    train: TrainingRows,
    own: OwnPipeline | None,
    findings: Findings,
) -> None:
    assert rehearsal.manifest is not None
    assert rehearsal.audit is not None
    manifest = rehearsal.manifest
    try:
        with step("Scoring rows of train out of fold"):
            scored = outlook(contract, train, manifest.classes, manifest.rows.holdout, works, own)
    except TrainingError as error:
        findings.failed(f"training: {error}")
        return
    if scored.best is None:
        findings.warn(
            "training: no family can be fitted on every fold of train, so training may end without a model, and "
            f"what the gate will say is not known: {_by_reason(scored.failed)}"
        )
        return
    if scored.failed:
        findings.warn(
            "training: some families cannot be fitted on every fold of train, and may be left out: "
            + _by_reason(scored.failed)
        )
    _too_good(contract, scored.best, rehearsal.audit.suspects, findings)
    _gate(contract, scored.best, findings)


def _by_reason(failed: Mapping[str, str]) -> str:
    names: dict[str, list[str]] = {}
    for family, why in failed.items():
        names.setdefault(why, []).append(family)
    return "; ".join(f"{', '.join(families)}: {why}" for why, families in names.items())


def _too_good(contract: Contract, found: Outlook, suspects: Iterable[AuditEntry], findings: Findings) -> None:
    if found.explained <= _TOO_GOOD or any(suspect.kind in _EXPLAINS for suspect in suspects):
        return
    findings.warn(
        f"leakage: out of fold {found.family} explains {min(found.explained, 0.9999):.2%} of "
        f"'{contract.problem.target}', which is rare. No column does alone; is it computed of several columns? Set "
        "available_at_prediction = false for those that are known only afterwards."
    )


def _gate(contract: Contract, found: Outlook, findings: Findings) -> None:
    floor = contract.task.floor.replace("_", " ")
    scores = (
        f"{contract.training.metric} {found.score:.4g} against {found.floor:.4g} of the {floor} ({found.family}, out "
        f"of fold on {found.rows:,} rows)"
    )
    judged = f"{found.judged:,} " + ("rows of train by cross-validation" if found.cross_validated else "held-out rows")
    if found.probability >= contract.gate.confidence:
        findings.passed(f"gate: a first model is likely to be promoted: {scores}; it is judged on {judged}")
        return
    findings.warn(
        f"gate: a first model may not be promoted, and then nothing serves: {scores} is better on {judged} with a "
        f"chance of {found.probability:.0%}, and [gate] confidence asks for {contract.gate.confidence:.0%}. More rows "
        f"help, or features that say more of '{contract.problem.target}'."
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
