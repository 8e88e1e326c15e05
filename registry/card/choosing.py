"""The sections on how a model was chosen: among which trials, by which rule, and with which features."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.stats.metrics import higher_is_better
from registry.card.columns import by_feature
from registry.card.facts import Facts
from registry.card.markdown import Section, escaped, paragraphs, table
from registry.card.wording import counted, family, interval, listed, metric, number
from training.documents import ScoredTrial, UnscoredTrial

TRIALS_SHOWN = 8


def choice(facts: Facts) -> Section:
    """How many were tried, by which rule one was taken, and what that does to its figures."""
    trials, done = facts.offered, facts.done
    failed = [trial for trial in trials if isinstance(trial, UnscoredTrial) and trial.status == "failed"]
    pruned = [trial for trial in trials if trial.status == "pruned" and trial.rows is None]
    ended = [trial for trial in trials if trial.status == "pruned" and trial.rows is not None]
    families = sorted({family(trial.family) for trial in done})
    outcome = [f"{len(done):,} scored"]
    outcome += [f"{len(pruned):,} pruned"] if pruned else []
    outcome += (
        [f"{len(ended):,} ended early, on {min(trial.rows or 0 for trial in ended):,} rows or more"] if ended else []
    )
    outcome += [f"{len(failed):,} failed"] if failed else []
    parts = [
        f"{counted(len(trials), 'trial')} ({', '.join(outcome)}) of {listed(families)}. {_rule(facts)}",
        _folds(facts),
    ]
    ranked = _ranked(facts)
    if ranked:
        parts.append(table(["trial", "features", f"{metric(facts.plan.metric)} (cross-validated)", ""], ranked))
    parts += _limited(facts)
    parts.append(_curse(facts))
    if failed:
        parts.append(
            "Failed: " + "; ".join(f"{escaped(trial.id)} ({escaped(trial.why)})" for trial in failed[:5]) + "."
        )
    parts.append(_parity(facts))
    return Section("How it was chosen", paragraphs(parts))


def _rule(facts: Facts) -> str:
    order = facts.fit.order
    done = {trial.id: trial for trial in facts.done}
    if not done:
        return ""
    best, chosen = _best(facts, facts.done), facts.fit.trial
    near = [trial for trial in facts.done if _within(facts, trial, best)]
    text = (
        f"Best on average: {escaped(best.id)}, {_mean(best)}. Within one standard error of it: "
        f"{counted(len(near), 'trial')}; the simplest of these is taken"
    )
    if order and order[0] != chosen:
        first = escaped(order[0])
        return f"{text}, {first}. Its export did not prove itself, so **{escaped(chosen)}** was taken in its place."
    runner_up = next((name for name in order if name != chosen and name in done), None)
    after = f" Runner-up: {escaped(runner_up)}, {_mean(done[runner_up])}." if runner_up else " There was no other."
    return f"{text}: **{escaped(chosen)}**, {_mean(done[chosen])}.{after}" if chosen in done else f"{text}."


def _folds(facts: Facts) -> str:
    repeats = facts.plan.search.repeats
    folds = max(len(trial.folds) for trial in facts.done) // repeats
    repeated = f", repeated {counted(repeats, 'time')}" if repeats > 1 else ""
    return (
        f"Each was scored by cross-validation on train alone ({counted(folds, 'fold')}{repeated}, stratified by class, "
        "grouped by the split's key); the holdout took no part."
    )


def _ranked(facts: Facts) -> list[list[str]]:
    done = {trial.id: trial for trial in facts.done}
    order = [name for name in facts.fit.order if name in done] or list(done)
    chosen = facts.fit.trial
    names = order[:TRIALS_SHOWN]
    names += [name for name in (chosen,) if name in done and name not in names]
    return [
        [
            escaped(name),
            {"none": "all", "univariate": "selected one by one", "model": "selected by a model"}[done[name].selection],
            _mean(done[name]),
            "**chosen**" if name == chosen else "",
        ]
        for name in names
    ]


def _limited(facts: Facts) -> list[str]:
    """The trials that were given fewer rows than there are, because of what their function has."""
    limited = [trial for trial in facts.done if trial.limited]
    if not limited:
        return []
    texts = [
        f"{escaped(trial.id)} on {trial.rows:,} ({escaped(trial.limited or '')})" for trial in limited[:TRIALS_SHOWN]
    ]
    more = f", and {len(limited) - TRIALS_SHOWN:,} more" if len(limited) > TRIALS_SHOWN else ""
    return [f"Fitted on fewer than the {facts.fit.rows:,} rows of train: {'; '.join(texts)}{more}."]


def _curse(facts: Facts) -> str:
    done = {trial.id: trial for trial in facts.done}
    chosen = done.get(facts.fit.trial)
    if chosen is None:
        return ""
    cross_validated = f"Cross-validated it has {metric(facts.plan.metric)} {number(chosen.mean)}; "
    value = interval(facts.evaluation.metrics[facts.metric])
    on_holdout = f"on the holdout, which had no part in the choice, {value}."
    if len(done) == 1:
        return cross_validated + on_holdout
    return (
        f"**Winner's curse:** the best of {len(done):,} trials looks better in cross-validation than it is, because it "
        f"was picked for looking good. {cross_validated}{on_holdout} Believe the second."
    )


def _parity(facts: Facts) -> str:
    parity = facts.fit.parity
    if parity.largest is None:
        return ""
    return (
        f"Parity: the exported model differs from what was trained by at most {parity.largest:.1e} in any "
        f"probability ({parity.tolerance:.0e} is allowed), on {counted(parity.rows, 'row')} of "
        "train and on perturbed ones."
    )


def left_out(facts: Facts) -> Section:
    """What feature selection took away, and what that cost or gained."""
    gone, kept = facts.fit.left_out, facts.fit.selected
    by_kind: dict[str, ScoredTrial] = {}
    for kind in ("none", "univariate", "model"):
        tried = [trial for trial in facts.done if trial.selection == kind]
        if tried:
            by_kind[kind] = _best(facts, tried)
    parts = [_left_out(facts, kept, gone) if gone else "Nothing was left out: the model has every column."]
    if facts.fit.ignored:
        ignored = listed([escaped(name) for name in facts.fit.ignored], 30)
        parts.append(
            f"Ignored, because empty or constant in train: {ignored}. What fills them later changes no answer."
        )
    done = {trial.id: trial for trial in facts.done}
    chosen = done.get(facts.fit.trial)
    same = [trial for trial in facts.done if chosen and trial.family == chosen.family and _is_whole(trial)]
    if gone and chosen and not _is_whole(chosen) and same:
        whole = _best(facts, same)
        parts.append(
            f"Cross-validated {metric(facts.plan.metric)} of the best {family(chosen.family)} with all columns: "
            f"{_mean(whole)}; of this one: {_mean(chosen)}. {_worth(facts, whole, chosen)}"
        )
    elif "none" in by_kind and len(by_kind) > 1:
        best = _best(facts, [trial for kind, trial in by_kind.items() if kind != "none"])
        parts.append(
            f"Best cross-validated {metric(facts.plan.metric)} with all columns: {_mean(by_kind['none'])}; with a "
            f"selection: {_mean(best)}. {_worth(facts, by_kind['none'], best)}"
        )
    elif gone:
        parts.append("No trial of this run used all columns, so what that cost or gained is not known.")
    return Section("What feature selection left out", paragraphs(parts))


def _left_out(facts: Facts, kept: list[str], gone: list[str]) -> str:
    """Features that are not used at all, and those of which some values or parts are."""
    seen, missed = by_feature(facts.contract, kept), by_feature(facts.contract, gone)
    unused = [escaped(name) for name in missed if name not in seen]
    partly = [
        f"{escaped(name)} (only {listed([f'“{escaped(part)}”' for part in seen[name]], 10)})"
        for name in missed
        if name in seen
    ]
    text = f"The model has {len(kept)} of {counted(len(kept) + len(gone), 'column')}."
    text += f" Features that it does not use at all: {listed(unused, 30)}." if unused else ""
    return text + (f" In part: {listed(partly, 30)}." if partly else "")


def _is_whole(trial: ScoredTrial) -> bool:
    return trial.selection == "none"


def _worth(facts: Facts, whole: ScoredTrial, selected: ScoredTrial) -> str:
    """What selecting did to the cross-validated mean."""
    sign = 1 if higher_is_better(facts.plan.metric) else -1
    gain = sign * (selected.mean - whole.mean)
    changed = "gained" if gain > 0 else "cost" if gain < 0 else "changed"
    little = ", less than one standard error: no difference that could be told." if _little(whole, gain) else "."
    return f"Leaving columns out {changed} {number(abs(gain), 4)}{little}"


def _best(facts: Facts, trials: Sequence[ScoredTrial]) -> ScoredTrial:
    sign = 1 if higher_is_better(facts.plan.metric) else -1
    return max(trials, key=lambda trial: (sign * trial.mean, -trial.simplicity))


def _within(facts: Facts, trial: ScoredTrial, best: ScoredTrial) -> bool:
    sign = 1 if higher_is_better(facts.plan.metric) else -1
    return bool(sign * (best.mean - trial.mean) <= best.se)


def _little(trial: ScoredTrial, gain: float) -> bool:
    return abs(gain) < trial.se


def _mean(trial: ScoredTrial) -> str:
    return f"{number(trial.mean)} ± {number(trial.se)}"
