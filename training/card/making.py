"""The sections on what a model is for, what it was made of, how it was chosen, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from andamio.format import Feature
from andamio.metrics import higher_is_better
from training.card.columns import by_feature
from training.card.facts import Facts, Json, standard_error, why
from training.card.wording import (
    Section,
    bullets,
    code,
    counted,
    family,
    interval,
    listed,
    metric,
    number,
    said,
    table,
)

TRIALS_SHOWN = 8
SENTENCE = 2000
"""How many characters of a sentence of the contract's or the gate's are shown."""
FEW_ROWS_OF_A_CLASS = 10


def purpose(facts: Facts) -> Section:
    """Objective and intended use."""
    problem = facts.contract.problem
    classes = ", ".join(f"“{said(text)}”" for text in facts.contract.texts.values())
    private = [name for name, feature in facts.contract.inputs.items() if feature.private]
    parts = [
        said(problem.description, SENTENCE),
        f"**Objective:** {said(problem.objective, SENTENCE)}." if problem.objective else "",
        f"It takes one record of {counted(len(facts.contract.inputs), 'feature')} and answers with a probability for "
        f"each of {classes}. It tells what became of records like this one in the data below; it knows no causes, and "
        "nothing of what happens when people act on its answers.",
        f"Private features, never logged: {listed([said(name) for name in private])}." if private else "",
    ]
    return Section("What it is for", _join(parts))


def data(facts: Facts) -> Section:
    """Which rows it was made of and measured on, and who is out."""
    manifest = facts.manifest or {}
    rows: Json = manifest.get("rows") or {}
    train, holdout = facts.fit.get("rows"), facts.evaluation["rows"]
    parts = [
        f"Data version {code(facts.plan['dataset'])}"
        + (f", made {said(manifest['created'][:10])}" if manifest.get("created") else "")
        + f": {counted(int(train or 0), 'row')} to train on and {counted(holdout, 'row')} held out."
    ]
    by_class = _class_rows(facts)
    if by_class:
        parts.append(table(["class", "train", "holdout"], by_class))
    files = manifest.get("files") or []
    if files:
        parts.append(
            "Source files: "
            + listed(
                [f"{code(item['key'])} ({counted(item.get('valid', item.get('rows', 0)), 'row')})" for item in files]
            )
            + "."
        )
    parts += [_split(manifest), _who_is_out(facts, manifest, rows), _suspects(facts)]
    if facts.report:
        parts.append(f"The data version's report: {code(facts.report, 500)}.")
    return Section("What it was trained on", _join(parts))


def _class_rows(facts: Facts) -> list[list[str]]:
    train, held = facts.fit.get("class_rows") or [], facts.evaluation.get("classes") or {}
    if len(train) != len(facts.contract.classes):
        return []
    return [
        [said(facts.text(key)), f"{count:,}", f"{held.get(key, 0):,}"]
        for key, count in zip(facts.contract.classes, train, strict=True)
    ]


def _split(manifest: Json) -> str:
    by = manifest.get("split_by") or {}
    if not by:
        return ""
    if by.get("rule") == "time":
        return (
            f"Held out is the newest share ({by['share']:.0%}), the rows from {said(manifest.get('cutoff') or '')} on. "
            "The split is sealed and moves forward only."
        )
    columns = listed([said(column) for column in by.get("columns") or []], 6)
    key = {"group": f"the group ({columns})", "id": f"the id ({columns})", "features": "all feature values"}
    return (
        f"Held out is {by['share']:.0%}, drawn by a hash of {key.get(str(by.get('key')), 'the row itself')}; equal "
        "keys are on one side, and no row ever changes sides."
    )


def _who_is_out(facts: Facts, manifest: Json, rows: Json) -> str:
    found = []
    rejected, replaced = rows.get("rejected") or 0, rows.get("replaced") or 0
    if rejected:
        reasons = [
            f"{said(item['column'])}: {said(item['reason'])} ({counted(item['rows'], 'row')})"
            if item.get("column")
            else f"{said(item['reason'])} ({counted(item['rows'], 'row')})"
            for item in manifest.get("reasons") or []
        ]
        found.append(
            f"{counted(rejected, 'row')} that broke the contract" + (f": {listed(reasons, 5)}" if reasons else "")
        )
    if replaced:
        found.append(f"{counted(replaced, 'row')} replaced by a later one with the same id")
    coerced = manifest.get("coerced") or {}
    if coerced:
        cells = listed([f"{said(name)} ({count:,})" for name, count in coerced.items()], 8)
        found.append(f"out-of-range cells, counted as missing: {cells}")
    late = [said(name) for name, feature in facts.contract.features.items() if not feature.available_at_prediction]
    if late:
        found.append(f"columns known only after the event: {listed(late)}")
    if not found:
        return "**Who is out:** no row was refused." if rows.get("read") else ""
    return "**Who is out:**\n\n" + bullets(found)


def _suspects(facts: Facts) -> str:
    if facts.audit is None:
        return ""
    found = facts.audit.get("suspects") or []
    if not found:
        kinds = [said(kind).replace("\\_", " ").replace("_", " ") for kind in facts.audit.get("checked") or []]
        looked = f" Looked for: {listed(kinds, 20)}." if kinds else ""
        return f"**Leakage audit:** no suspect.{looked}"
    items = [said(item.get("message") or f"{item.get('kind')}: {item.get('feature')}", 400) for item in found]
    return (
        f"**Leakage audit: {counted(len(found), 'suspect')}.** A leak makes every figure above too good.\n\n"
        + bullets(items)
    )


def choice(facts: Facts) -> Section:
    """How many were tried, by which rule one was taken, and what that does to its figures."""
    trials, done = facts.offered, facts.done
    failed = [trial for trial in trials if trial["status"] == "failed"]
    pruned = [trial for trial in trials if trial["status"] == "pruned"]
    families = sorted({family(trial["family"]) for trial in done})
    outcome = [f"{len(done):,} scored"]
    outcome += [f"{len(pruned):,} pruned"] if pruned else []
    outcome += [f"{len(failed):,} failed"] if failed else []
    parts = [
        f"{counted(len(trials), 'trial')} ({', '.join(outcome)}) of {listed(families)}. {_rule(facts)}",
        _folds(facts),
    ]
    ranked = _ranked(facts)
    if ranked:
        parts.append(table(["trial", "features", f"{metric(facts.plan['metric'])} (cross-validated)", ""], ranked))
    parts.append(_curse(facts))
    if failed:
        parts.append("Failed: " + "; ".join(f"{said(trial['id'])} ({said(why(trial))})" for trial in failed[:5]) + ".")
    parts.append(_parity(facts))
    return Section("How it was chosen", _join(parts))


def _rule(facts: Facts) -> str:
    order: list[str] = facts.fit.get("order") or []
    done = {trial["id"]: trial for trial in facts.done}
    if not done:
        return ""
    best, chosen = _best(facts, facts.done), facts.fit["trial"]
    near = [trial for trial in facts.done if _within(facts, trial, best)]
    text = (
        f"Best on average: {said(best['id'])}, {_mean(best)}. Within one standard error of it: "
        f"{counted(len(near), 'trial')}; the simplest of these is taken"
    )
    if order and order[0] != chosen:
        return (
            f"{text}, {said(order[0])}. Its export did not prove itself, so **{said(chosen)}** was taken in its place."
        )
    runner_up = next((name for name in order if name != chosen and name in done), None)
    after = f" Runner-up: {said(runner_up)}, {_mean(done[runner_up])}." if runner_up else " There was no other."
    return f"{text}: **{said(chosen)}**, {_mean(done[chosen])}.{after}" if chosen in done else f"{text}."


def _folds(facts: Facts) -> str:
    counts = {len(trial["folds"]) for trial in facts.done if trial.get("folds")}
    repeats = (facts.plan.get("search") or {}).get("repeats")
    if not counts:
        return ""
    repeated = f", {counted(int(repeats), 'repeat')}" if isinstance(repeats, int) and repeats > 1 else ""
    return (
        f"Each was scored by cross-validation on train alone ({max(counts):,} folds{repeated}, stratified by class, "
        "grouped by the split's key); the holdout took no part."
    )


def _ranked(facts: Facts) -> list[list[str]]:
    done = {trial["id"]: trial for trial in facts.done}
    order = [name for name in facts.fit.get("order") or [] if name in done] or list(done)
    chosen = facts.fit["trial"]
    names = order[:TRIALS_SHOWN]
    names += [name for name in (chosen,) if name in done and name not in names]
    return [
        [
            said(name),
            {"none": "all", "univariate": "selected one by one", "model": "selected by a model"}.get(
                str(done[name].get("selection", "none")), said(done[name].get("selection"))
            ),
            _mean(done[name]),
            "**chosen**" if name == chosen else "",
        ]
        for name in names
    ]


def _curse(facts: Facts) -> str:
    done = {trial["id"]: trial for trial in facts.done}
    chosen = done.get(facts.fit["trial"])
    if chosen is None:
        return ""
    cross_validated = f"Cross-validated it has {metric(facts.plan['metric'])} {number(chosen['mean'])}; "
    value = interval(facts.evaluation["metrics"][facts.metric])
    on_holdout = f"on the holdout, which had no part in the choice, {value}."
    if len(done) == 1:
        return cross_validated + on_holdout
    return (
        f"**Winner's curse:** the best of {len(done):,} trials looks better in cross-validation than it is, because it "
        f"was picked for looking good. {cross_validated}{on_holdout} Believe the second."
    )


def _parity(facts: Facts) -> str:
    for attempt in facts.fit.get("attempts") or []:
        parity = attempt.get("parity")
        if attempt.get("trial") == facts.fit["trial"] and parity and parity.get("largest") is not None:
            return (
                f"Parity: the exported model differs from what was trained by at most {parity['largest']:.1e} in any "
                f"probability ({parity.get('tolerance', 1e-5):.0e} is allowed), on {counted(parity['rows'], 'row')} of "
                "train and on perturbed ones."
            )
    return ""


def left_out(facts: Facts) -> Section | None:
    """What feature selection took away, and what that cost or gained."""
    gone, kept = facts.fit.get("left_out"), facts.fit.get("selected")
    by_kind: dict[str, Json] = {}
    for kind in ("none", "univariate", "model"):
        tried = [trial for trial in facts.done if trial.get("selection") == kind]
        if tried:
            by_kind[kind] = _best(facts, tried)
    if gone is None and len(by_kind) < 2:
        return None
    parts = [_left_out(facts, kept or [], gone) if gone else "Nothing was left out: the model has every column."]
    done = {trial["id"]: trial for trial in facts.done}
    chosen = done.get(facts.fit["trial"])
    same = [trial for trial in facts.done if chosen and trial["family"] == chosen["family"] and _is_whole(trial)]
    if gone and chosen and not _is_whole(chosen) and same:
        whole = _best(facts, same)
        parts.append(
            f"Cross-validated {metric(facts.plan['metric'])} of the best {family(chosen['family'])} with all columns: "
            f"{_mean(whole)}; of this one: {_mean(chosen)}. {_worth(facts, whole, chosen)}"
        )
    elif "none" in by_kind and len(by_kind) > 1:
        best = _best(facts, [trial for kind, trial in by_kind.items() if kind != "none"])
        parts.append(
            f"Best cross-validated {metric(facts.plan['metric'])} with all columns: {_mean(by_kind['none'])}; with a "
            f"selection: {_mean(best)}. {_worth(facts, by_kind['none'], best)}"
        )
    elif gone:
        parts.append("No trial of this run used all columns, so what that cost or gained is not known.")
    return Section("What feature selection left out", _join(parts))


def _left_out(facts: Facts, kept: list[str], gone: list[str]) -> str:
    """Features that are not used at all, and those of which some values or parts are."""
    seen, missed = by_feature(facts.contract, kept), by_feature(facts.contract, gone)
    unused = [said(name) for name in missed if name not in seen]
    partly = [
        f"{said(name)} (only {listed([f'“{said(part)}”' for part in seen[name]], 10)})"
        for name in missed
        if name in seen
    ]
    text = f"The model has {len(kept)} of {counted(len(kept) + len(gone), 'column')}."
    text += f" Features that it does not use at all: {listed(unused, 30)}." if unused else ""
    return text + (f" In part: {listed(partly, 30)}." if partly else "")


def _is_whole(trial: Json) -> bool:
    return bool(trial.get("selection", "none") == "none")


def _worth(facts: Facts, whole: Json, selected: Json) -> str:
    """What selecting did to the cross-validated mean."""
    sign = 1 if higher_is_better(facts.plan["metric"]) else -1
    gain = sign * (selected["mean"] - whole["mean"])
    changed = "gained" if gain > 0 else "cost" if gain < 0 else "changed"
    little = ", less than one standard error: no difference that could be told." if _little(whole, gain) else "."
    return f"Leaving columns out {changed} {number(abs(gain), 4)}{little}"


def limits(facts: Facts) -> Section:
    """Where its answers stop meaning anything."""
    found = []
    counts = facts.evaluation.get("classes") or {}
    if facts.low_evidence:
        held = listed([f"{count:,} of “{said(facts.text(key))}”" for key, count in counts.items()])
        found.append(
            f"Low evidence: the holdout has {held}; at least {FEW_ROWS_OF_A_CLASS} of each are needed to judge by it."
        )
    figure = facts.evaluation["metrics"][facts.metric]
    if figure.get("low") is not None and figure.get("high") is not None:
        found.append(
            f"A holdout of {counted(facts.evaluation['rows'], 'row')} fixes {metric(facts.metric)} to within "
            f"{number(figure['high'] - figure['low'])}: a smaller difference between two models may be chance."
        )
    found += _ranges(facts)
    conflicts = facts.profile.get("conflicts") or {}
    if conflicts.get("rows"):
        found.append(
            f"{counted(conflicts['rows'], 'row')} of the data agree in every feature and disagree in the class: "
            "no model can be right about all of them."
        )
    if facts.audit is None:
        found.append("This data version was not audited for leakage.")
    found.append(
        "It knows the past of these files. Other places, later times, other ways to measure: measure it there first."
    )
    return Section("Its limits", bullets(found))


def _ranges(facts: Facts) -> list[str]:
    features: dict[str, Json] = facts.profile.get("features") or {}
    rows = []
    for name, feature in facts.contract.inputs.items():
        profile = features.get(name) or {}
        if not feature.private and profile.get("min") is not None and profile.get("max") is not None:
            unit = f" {said(feature.unit)}" if feature.unit else ""
            rows.append(f"{said(name)} {_plain(profile['min'])} to {_plain(profile['max'])}{unit}")
    found = []
    if rows:
        found.append(
            "Beyond what it was trained on it extrapolates, and nothing above holds. Seen in training: "
            + "; ".join(rows[:60])
            + "."
        )
    other = [said(name) for name, feature in facts.contract.inputs.items() if _takes_unknown(feature)]
    if other:
        found.append(f"Values never seen in training all count as one “other” in {listed(other)}.")
    missing = _often_missing(features, facts.contract.inputs)
    if missing:
        found.append(f"Often missing, so filled in by the model: {listed(missing, 20)}.")
    return found


def _takes_unknown(feature: Feature) -> bool:
    return feature.type == "category" and feature.accepts_unknown


def _often_missing(features: dict[str, Json], inputs: dict[str, Feature]) -> list[str]:
    found = []
    for name in inputs:
        profile = features.get(name) or {}
        count, missing = profile.get("count") or 0, profile.get("missing") or 0
        if count and missing / count >= 0.2:
            found.append(f"{said(name)} ({missing / count:.0%})")
    return found


def gate(facts: Facts) -> Section:
    """What the gate decided, in its own words."""
    decision = facts.decision
    outcome = {"promoted": "Promoted", "rejected": "Not promoted", "tied": "A tie"}.get(
        decision.get("outcome", ""), said(decision.get("outcome", ""))
    )
    when = f", {said(facts.decided)}" if facts.decided else ""
    parts = [f"**{outcome}**{when}. {said(decision.get('reason', ''), SENTENCE)}"]
    rows = [
        [name, interval(decision[key])]
        for key, name in (
            ("score", "this model"),
            ("baseline", said(decision.get("against", "")) or "against"),
            ("gain", "gain"),
        )
        if isinstance(decision.get(key), dict)
    ]
    if rows:
        parts.append(table(["", metric(decision.get("metric", facts.metric))], rows))
    warnings = [said(text, 400) for text in _texts(decision.get("warnings"))]
    if warnings:
        parts.append("Warnings:\n\n" + bullets(warnings))
    refused = decision.get("rows_champion_would_refuse")
    if refused:
        parts.append(
            f"{counted(refused, 'holdout row')} would be refused by the champion's own contract: "
            "those cells counted as missing."
        )
    return Section("What the gate decided", _join(parts))


def origin(facts: Facts) -> Section:
    """What to look it up by."""
    plan, fit = facts.plan, facts.fit
    rows = [
        ["training run", code(facts.run)],
        ["data version", code(plan["dataset"])],
        ["split", code(plan.get("split") or "")],
        ["contract", code(plan.get("contract") or "")],
        ["model (SHA-256)", code(fit.get("model") or "")],
        ["trial", f"{said(fit['trial'])}, {family(fit['family'])}"],
        ["parameters", ", ".join(f"{said(name)} = {said(value)}" for name, value in (fit.get("params") or {}).items())],
        ["seed", code(plan.get("seed", ""))],
        ["libraries", ", ".join(f"{said(name)} {said(text)}" for name, text in (plan.get("libraries") or {}).items())],
        ["our code", code(plan.get("sources") or "")],
        ["lock file (SHA-256 of uv.lock)", code(facts.lock)],
    ]
    parts = [
        table(["what", "which"], [row for row in rows if row[1]], right=2),
        "The release has its version from the digests of its files, this card among them, so no card can name it: "
        "GET /version, `andamio models` and the model version in MLflow do.",
    ]
    return Section("Where it comes from", _join(parts))


def _best(facts: Facts, trials: Sequence[Json]) -> Json:
    sign = 1 if higher_is_better(facts.plan["metric"]) else -1
    return max(trials, key=lambda trial: (sign * trial["mean"], -trial.get("simplicity", 0)))


def _within(facts: Facts, trial: Json, best: Json) -> bool:
    sign = 1 if higher_is_better(facts.plan["metric"]) else -1
    return bool(sign * (best["mean"] - trial["mean"]) <= (standard_error(best) or 0.0))


def _little(trial: Json, gain: float) -> bool:
    error = standard_error(trial)
    return error is not None and abs(gain) < error


def _mean(trial: Json) -> str:
    error = standard_error(trial)
    return number(trial["mean"]) + (f" ± {number(error)}" if error is not None else "")


def _texts(value: Any) -> list[str]:
    """Warnings, whether they are sentences or records with a message."""
    found = value if isinstance(value, list) else []
    return [str(item.get("message") or item) if isinstance(item, dict) else str(item) for item in found]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else said(value)


def _join(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part)
