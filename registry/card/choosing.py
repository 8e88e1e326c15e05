"""The sections on how a model was chosen: among which trials, by which rule, and with which features."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.gate.decision import Figure
from andamio.stats.figures import figure
from andamio.stats.metrics import higher_is_better
from registry.card.columns import by_feature
from registry.card.facts import Facts
from registry.card.markdown import Section, escaped, paragraphs, table
from registry.card.wording import counted, family, interval, listed, metric, number
from training.documents import ScoredTrial, UnscoredTrial
from training.evaluate.plots import loss_text
from training.trials.selection import Score, error_of_difference

TRIALS_SHOWN = 8


def choice(facts: Facts) -> Section:
    """How many were tried, by which rule one was taken, and what that does to its figures."""
    trials, done = facts.offered, facts.done
    failed = [trial for trial in trials if isinstance(trial, UnscoredTrial) and trial.status == "failed"]
    pruned = [trial for trial in trials if isinstance(trial, UnscoredTrial) and trial.status == "pruned"]
    pruned, ended = [trial for trial in pruned if not trial.ended], [trial for trial in pruned if trial.ended]
    families = sorted({family(trial.family) for trial in done})
    outcome = [f"{len(done):,} scored"]
    outcome += [f"{len(pruned):,} pruned"] if pruned else []
    outcome += [f"{len(ended):,} ended early, on {_least(facts, ended)} or more"] if ended else []
    outcome += [f"{len(failed):,} failed"] if failed else []
    parts = [
        f"{counted(len(trials), 'trial')} ({', '.join(outcome)}) of {listed(families)}. {_rule(facts)}",
        _folds(facts),
    ]
    ranked = _ranked(facts)
    if ranked:
        header = ["trial", "features", f"{metric(facts.plan.metric)} (cross-validated)", "behind the best", ""]
        parts.append(table(header, ranked))
    parts += _limited(facts)
    parts.append(_guard(facts))
    parts.append(_curse(facts))
    if failed:
        parts.append(
            "Failed: " + "; ".join(f"{escaped(trial.id)} ({escaped(trial.why)})" for trial in failed[:5]) + "."
        )
    parts.append(_parity(facts))
    return Section("How it was chosen", paragraphs(parts))


def _least(facts: Facts, ended: Sequence[UnscoredTrial]) -> str:
    """The least that a trial was given that lost a race."""
    rows, folds = min((trial.rows or facts.fit.rows, trial.first_folds or 0) for trial in ended)
    return f"{rows:,} rows" + (f" and {counted(folds, 'fold')}" if folds else "")


def _rule(facts: Facts) -> str:
    order = facts.fit.order
    done = {trial.id: trial for trial in facts.done}
    if not done:
        return ""
    best, chosen = _best(facts, facts.done), facts.fit.trial
    near = [trial for trial in facts.done if _behind(facts, trial, best) <= _difference_error(facts, trial, best)]
    which = "the simplest of these that passes the guard" if facts.fit.guarded else "the simplest of these"
    if facts.fit.guarded and not _any_passed(facts):
        which = "none that was tried passes the guard, and the simplest of these"
    elif order and order[0] not in {trial.id for trial in near}:
        which = "none of these passes the guard, and the best one that does"
    text = (
        f"Best on average: {escaped(best.id)}, {_mean(best)}. Within one standard error of the difference to it: "
        f"{counted(len(near), 'trial')}; {which} is taken"
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
        f"Each was scored by cross-validation on train alone ({counted(folds, 'fold')}{repeated}, stratified by "
        f"{_strata(facts)}, grouped by the split's key); the holdout took no part."
    )


def _strata(facts: Facts) -> str:
    return "class" if facts.evaluation.numbers is None else "tenths of the target"


def _ranked(facts: Facts) -> list[list[str]]:
    done = {trial.id: trial for trial in facts.done}
    if not done:
        return []
    best = _best(facts, facts.done)
    order = [name for name in facts.fit.order if name in done] or list(done)
    chosen = facts.fit.trial
    names = order[:TRIALS_SHOWN]
    names += [name for name in (chosen,) if name in done and name not in names]
    return [
        [
            escaped(name),
            {"none": "all", "univariate": "selected one by one", "model": "selected by a model"}[done[name].selection],
            _mean(done[name]),
            _difference(facts, done[name], best),
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


def _guard(facts: Facts) -> str:
    """What the guard at choice said of the trials that it was asked for."""
    if not facts.fit.guarded:
        return ""
    task = facts.contract.task
    loss = "calibrated log loss" if facts.evaluation.numbers is None else loss_text(facts.metric).lower()
    text = (
        f"Guard: the {loss} of a model, out of fold, is not above that of a plain {family(task.linear)} by "
        "more than one standard error of the difference"
    )
    loss_of = "log_loss" if facts.evaluation.numbers is None else facts.metric
    failed = [each for each in facts.fit.guarded if not each.passed]
    named = [
        f"{escaped(each.trial)} ({figure(loss_of, each.loss_gap, signed=True)} ± {number(each.error, of=loss_of)})"
        for each in failed
    ]
    if any(each.trial == facts.fit.trial for each in failed):
        if _any_passed(facts):
            did = "**This one did not pass it**; the exports of those that did failed. Did not pass"
        else:
            did = "**No trial that was tried passed it**, this one neither"
        return f"{text}. {did}: {listed(named, TRIALS_SHOWN)}."
    return f"{text}. It kept out {listed(named, TRIALS_SHOWN)}." if named else f"{text}. It kept out none."


def _any_passed(facts: Facts) -> bool:
    """Whether a trial passed the guard; the plain linear family always does, and the guard is not asked for it."""
    return facts.contract.task.linear in facts.fit.order or any(each.passed for each in facts.fit.guarded)


def _curse(facts: Facts) -> str:
    """The figure of cross-validation beside the one of the holdout, and which of the two to believe."""
    done = {trial.id: trial for trial in facts.done}
    chosen = done.get(facts.fit.trial)
    if chosen is None:
        return ""
    holdout = facts.evaluation.metrics[facts.metric]
    figures = (
        f"Cross-validated it has {metric(facts.plan.metric)} {number(chosen.mean, of=facts.plan.metric)}; on the "
        f"holdout, which had no part in the choice, {interval(holdout, of=facts.metric)}."
    )
    picked = len(done) > 1 and chosen is _best(facts, facts.done)
    if not picked or holdout.value is None or facts.low_evidence or _sign(facts) * (chosen.mean - holdout.value) <= 0:
        return figures
    return (
        f"**Winner's curse:** the best of {len(done):,} trials looks better in cross-validation than it is, because it "
        f"was picked for looking good. {figures} Believe the second."
    )


def _parity(facts: Facts) -> str:
    parity = facts.fit.parity
    if parity.largest is None:
        return ""
    return (
        f"Parity: the exported model differs from what was trained by at most {parity.largest:.1e} in any "
        f"{_in_any(facts)} ({parity.tolerance:.0e} is allowed), on {counted(parity.rows, 'row')} of "
        "train and on perturbed ones."
    )


def _in_any(facts: Facts) -> str:
    return "probability" if facts.evaluation.numbers is None else "prediction, in standard deviations of the target"


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
    """What selecting did to the cross-validated mean, and to the holdout's figures where these were measured."""
    gain = -_behind(facts, selected, whole)
    changed = "gained" if gain > 0 else "cost" if gain < 0 else "changed"
    told = f"Leaving columns out {changed} {number(abs(gain), 4, of=facts.plan.metric)}"
    if abs(gain) >= _difference_error(facts, selected, whole):
        return f"{told}. {_on_holdout(facts, selected)}".strip()
    told = f"{told}, less than one standard error of the difference"
    on_holdout = _on_holdout(facts, selected)
    return f"{told}. {on_holdout}" if on_holdout else f"{told}: no difference that could be told."


def _on_holdout(facts: Facts, selected: ScoredTrial) -> str:
    """Where the holdout tells the chosen regression from plain regression with every column; "" where it does not."""
    plain = facts.contract.task.linear
    gains = facts.evaluation.gains.get(plain, {})
    if facts.low_evidence or selected.id != facts.fit.trial or selected.family != plain:
        return ""
    told = []
    for name, gain in sorted(gains.items()):
        if gain.value is None or gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
            continue
        ends = sorted((abs(gain.low), abs(gain.high)))
        better = "better" if gain.value > 0 else "worse"
        shown = interval(Figure(value=abs(gain.value), low=ends[0], high=ends[1]), of=name)
        told.append(f"{better} in {metric(name)} by {shown}")
    return f"The holdout tells it from a plain {family(plain)} with all columns: {' and '.join(told)}." if told else ""


def _best(facts: Facts, trials: Sequence[ScoredTrial]) -> ScoredTrial:
    return max(trials, key=lambda trial: (_sign(facts) * trial.mean, -trial.simplicity))


def _sign(facts: Facts) -> int:
    return 1 if higher_is_better(facts.plan.metric) else -1


def _behind(facts: Facts, trial: ScoredTrial, best: ScoredTrial) -> float:
    """By how much a trial is worse than another; below 0 where it is better."""
    return _sign(facts) * (best.mean - trial.mean)


def _difference_error(facts: Facts, trial: ScoredTrial, best: ScoredTrial) -> float:
    repeats = facts.plan.search.repeats
    return error_of_difference(Score.of(trial, repeats), Score.of(best, repeats))


def _difference(facts: Facts, trial: ScoredTrial, best: ScoredTrial) -> str:
    if trial is best:
        return "best"
    name, error = facts.plan.metric, _difference_error(facts, trial, best)
    return f"{number(_behind(facts, trial, best), 4, of=name)} ± {number(error, 4, of=name)}"


def _mean(trial: ScoredTrial) -> str:
    return f"{number(trial.mean, of=trial.metric)} ± {number(trial.se, of=trial.metric)}"
