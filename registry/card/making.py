"""The sections on the purpose of a model, its data, its limits and the decision of the gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from andamio.contract.tables import Feature
from andamio.contract.task import Classification, Regression
from andamio.dataset.documents import DatasetManifest, FeatureProfile, SourceFile
from andamio.names import PIPELINE_FILE
from andamio.tabular.read_as import assumptions
from registry.card.facts import Facts
from registry.card.markdown import Section, bullets, code, escaped, paragraphs, table
from registry.card.wording import counted, family, interval, listed, metric, number
from training.families.spaces import OWN

SENTENCE = 2000
"""How many characters of a sentence of the contract's or the gate's are shown."""
FEW_ROWS_OF_A_CLASS = 10


def purpose(facts: Facts) -> Section:
    """Objective and intended use."""
    problem = facts.contract.problem
    private = [name for name, feature in facts.contract.inputs.items() if feature.private]
    parts = [
        escaped(problem.description, SENTENCE),
        f"**Objective:** {escaped(problem.objective, SENTENCE)}." if problem.objective else "",
        f"It takes one record of {counted(len(facts.contract.inputs), 'feature')} and answers with "
        f"{_answer(facts)}. It tells what became of records like this one in the data below; it knows no causes, and "
        "nothing of what happens when people act on its answers.",
        f"Private features, never logged: {listed([escaped(name) for name in private])}." if private else "",
    ]
    return Section("What it is for", paragraphs(parts))


def _answer(facts: Facts) -> str:
    """What it says of a record."""
    match facts.contract.task:
        case Classification():
            classes = ", ".join(f"“{escaped(text)}”" for text in facts.contract.texts.values())
            return f"a probability for each of {classes}"
        case Regression() as task:
            unit = f" of {escaped(task.unit)}" if task.unit else ""
            return f"a number{unit}, with an interval that shall hold the truth in {task.level:.0%} of cases"


def data(facts: Facts) -> Section:
    """Which rows it was made of and measured on, and who is out."""
    manifest = facts.manifest
    train, holdout = facts.fit.rows, facts.evaluation.rows
    made = "" if manifest is None else f", made {escaped(manifest.created[:10])}"
    parts = [
        f"Data version {code(facts.plan.dataset)}{made}: {counted(train, 'row')} to train on and "
        f"{counted(holdout, 'row')} held out."
    ]
    by_class = _class_rows(facts)
    if by_class:
        parts.append(table(["class", "train", "holdout"], by_class))
    if manifest is not None:
        parts += [f"Source files: {listed([_source_file(file) for file in manifest.files])}.", _split(manifest)]
    parts += [_who_is_out(facts), _suspects(facts), _findings(facts)]
    if facts.report:
        parts.append(f"The data version's report: {code(facts.report, 500)}.")
    return Section("What it was trained on", paragraphs(parts))


def _source_file(file: SourceFile) -> str:
    assumed = "".join(f"; it {escaped(words)}" for words in assumptions(file.read_as))
    return f"{code(file.key)} ({counted(file.valid, 'row')}{assumed})"


def _class_rows(facts: Facts) -> list[list[str]]:
    train, held = facts.fit.class_rows, facts.evaluation.classes
    return [
        [escaped(facts.text(key)), f"{count:,}", f"{held[key]:,}"]
        for key, count in zip(facts.contract.classes, train, strict=True)
    ]


def _split(manifest: DatasetManifest) -> str:
    by = manifest.split_by
    if by.rule == "time":
        return (
            f"Held out is the newest share ({by.share:.0%}), the rows from {escaped(manifest.cutoff or '')} on. "
            "The split is sealed and moves forward only."
        )
    columns = listed([escaped(column) for column in by.columns], 6)
    key = {"group": f"the group ({columns})", "id": f"the id ({columns})", "features": "all feature values"}
    return (
        f"Held out is {by.share:.0%}, drawn by a hash of {key.get(by.key, 'the row itself')}; equal "
        "keys are on one side, and no row ever changes sides."
    )


def _who_is_out(facts: Facts) -> str:
    found = [] if facts.manifest is None else _left_out_rows(facts.manifest)
    late = [escaped(name) for name, feature in facts.contract.features.items() if not feature.available_at_prediction]
    if late:
        found.append(f"columns known only after the event: {listed(late)}")
    if found:
        return "**Who is out:**\n\n" + bullets(found)
    return "" if facts.manifest is None else "**Who is out:** no row was refused."


def _left_out_rows(manifest: DatasetManifest) -> list[str]:
    found, rows = [], manifest.rows
    if rows.rejected:
        reasons = [
            (f"{escaped(item.column)}: " if item.column else "")
            + f"{escaped(item.reason)} ({counted(item.rows, 'row')})"
            for item in manifest.reasons
        ]
        found.append(
            f"{counted(rows.rejected, 'row')} that broke the contract" + (f": {listed(reasons, 5)}" if reasons else "")
        )
    if rows.left_out:
        found.append(f"{counted(rows.left_out, 'row')} left out by keep of prepare.py")
    if rows.replaced:
        found.append(f"{counted(rows.replaced, 'row')} replaced by a later one with the same id")
    if manifest.coerced:
        cells = listed([f"{escaped(name)} ({count:,})" for name, count in manifest.coerced.items()], 8)
        found.append(f"out-of-range cells, counted as missing: {cells}")
    return found


def _suspects(facts: Facts) -> str:
    if facts.audit is None:
        return ""
    found = facts.audit.suspects
    if not found:
        kinds = [escaped(kind).replace("\\_", " ").replace("_", " ") for kind in facts.audit.checked]
        looked = f" Looked for: {listed(kinds, 20)}." if kinds else ""
        looked += f" Features were checked on {facts.audit.rows:,} training rows." if facts.audit.rows else ""
        return f"**Leakage audit:** no suspect.{looked}"
    return (
        f"**Leakage audit: {counted(len(found), 'suspect')}.** A leak makes every figure above too good.\n\n"
        + bullets([escaped(item.message, 400) for item in found])
    )


def _findings(facts: Facts) -> str:
    """What the audit found about values."""
    found = [] if facts.audit is None else [escaped(item.message, 400) for item in facts.audit.findings]
    return f"**Values:**\n\n{bullets(found)}" if found else ""


def limits(facts: Facts) -> Section:
    """Where its answers stop meaning anything."""
    found = []
    counts = facts.evaluation.classes
    if facts.low_evidence and not counts:
        found.append(f"Low evidence: the holdout has {counted(facts.evaluation.rows, 'row')}; at least 20 are needed.")
    elif facts.low_evidence:
        held = listed([f"{count:,} of “{escaped(facts.text(key))}”" for key, count in counts.items()])
        found.append(
            f"Low evidence: the holdout has {held}; at least {FEW_ROWS_OF_A_CLASS} of each are needed to judge by it."
        )
    figure = facts.evaluation.metrics[facts.metric]
    if figure.low is not None and figure.high is not None:
        found.append(
            f"A holdout of {counted(facts.evaluation.rows, 'row')} fixes {metric(facts.metric)} to within "
            f"{number(figure.high - figure.low, of=facts.metric)}: a smaller difference between two models may be "
            "chance."
        )
    found += _ranges(facts)
    conflicting_rows = facts.profile.conflicts.rows if facts.profile else 0
    if conflicting_rows:
        found.append(
            f"{counted(conflicting_rows, 'row')} of the data agree in every feature and disagree in the "
            f"{'class' if counts else 'target'}: no model can be right about all of them."
        )
    if facts.audit is None:
        found.append("This data version was not audited for leakage.")
    if facts.fit.proved == 0:
        found.append(
            "No record proves that prepare.py does the same where it serves: with made-up values none was left."
        )
    found.append(
        "It knows the past of these files. Other places, later times, other ways to measure: measure it there first."
    )
    return Section("Its limits", bullets(found))


def _ranges(facts: Facts) -> list[str]:
    features = facts.profile.features if facts.profile else {}
    rows = []
    for name, feature in facts.contract.inputs.items():
        profile = features.get(name)
        if not feature.private and profile and profile.min is not None and profile.max is not None:
            unit = f" {escaped(feature.unit)}" if feature.unit else ""
            rows.append(f"{escaped(name)} {_plain(profile.min)} to {_plain(profile.max)}{unit}")
    found = []
    if rows:
        found.append(
            "Beyond what it was trained on it extrapolates, and nothing above holds. Seen in training: "
            + "; ".join([*rows[:60], *_range_of_target(facts)])
            + "."
        )
    other = [escaped(name) for name, feature in facts.contract.inputs.items() if _takes_unknown(feature)]
    if other:
        found.append(f"Values never seen in training all count as one “other” in {listed(other)}.")
    missing = _often_missing(features, facts.contract.inputs)
    if missing:
        found.append(f"Often missing, so filled in by the model: {listed(missing, 20)}.")
    return found


def _range_of_target(facts: Facts) -> list[str]:
    target = facts.profile.target if facts.profile else None
    if target is None or target.min is None or target.max is None:
        return []
    unit = f" {escaped(facts.contract.problem.unit)}" if facts.contract.problem.unit else ""
    return [f"the target {_plain(target.min)} to {_plain(target.max)}{unit}"]


def _takes_unknown(feature: Feature) -> bool:
    return feature.type == "category" and feature.accepts_unknown


def _often_missing(features: Mapping[str, FeatureProfile], inputs: dict[str, Feature]) -> list[str]:
    found = []
    for name in inputs:
        profile = features.get(name)
        if profile and profile.count and profile.missing / profile.count >= 0.2:
            found.append(f"{escaped(name)} ({profile.missing / profile.count:.0%})")
    return found


def gate(facts: Facts) -> Section:
    """What the gate decided, in its own words."""
    decision = facts.decision
    outcome = {"promoted": "Promoted", "rejected": "Not promoted", "tied": "A tie"}[decision.outcome]
    when = f", {escaped(facts.decision_day)}" if facts.decision_day else ""
    parts = [f"**{outcome}**{when}. {escaped(decision.reason, SENTENCE)}"]
    rows = [
        [name, interval(figure, of=decision.metric)]
        for name, figure in (
            ("this model", decision.score),
            (escaped(decision.against), decision.baseline),
            ("gain", decision.gain),
        )
        if figure is not None
    ]
    if rows:
        parts.append(table(["", metric(decision.metric)], rows))
    refused = decision.rows_champion_would_refuse
    if refused:
        parts.append(
            f"{counted(refused, 'holdout row')} would be refused by the champion's own contract: "
            "those cells counted as missing."
        )
    return Section("What the gate decided", paragraphs(parts))


def origin(facts: Facts) -> Section:
    """What to look it up by."""
    plan, fit = facts.plan, facts.fit
    rows = [
        ["training run", code(facts.run)],
        ["data version", code(plan.dataset)],
        ["split", code(plan.split)],
        ["contract", code(plan.contract)],
        ["model (SHA-256)", code(fit.model)],
        ["trial", f"{escaped(fit.trial)}, {family(fit.family)}"],
        ["parameters", ", ".join(f"{escaped(name)} = {escaped(value)}" for name, value in fit.params.items())],
        ["seed", code(plan.seed)],
        ["libraries", ", ".join(f"{escaped(name)} {escaped(text)}" for name, text in plan.libraries.items())],
        ["our code", code(plan.sources)],
        [f"{PIPELINE_FILE} (SHA-256)", code(plan.own.digest) if plan.own and fit.family == OWN else ""],
        ["lock file (SHA-256 of uv.lock)", code(facts.lock)],
    ]
    parts = [
        table(["what", "which"], [row for row in rows if row[1]], right=2),
        "The release has its version from the digests of its files, this card among them, so no card can name it: "
        "GET /version, `andamio models` and the model version in MLflow do.",
    ]
    return Section("Where it comes from", paragraphs(parts))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else escaped(value)
