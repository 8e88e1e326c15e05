"""The sections on how good a model is: figures, threshold, calibration, slices, importance."""

from __future__ import annotations

from andamio.contract.tables import Costs
from andamio.gate.decision import Figure
from registry.card.facts import Facts
from registry.card.markdown import Section, bullets, code, escaped, paragraphs, table
from registry.card.verdict import gain_over, visible_slices
from registry.card.wording import MEANINGS, counted, family, interval, listed, metric, number
from training.evaluate.documents import CalibrationFigures, FeatureImportance, SliceFigure, order_of_slices
from training.evaluate.plots import loss_text

SLICES_SHOWN = 15
FEATURES_SHOWN = 20


def figures(facts: Facts) -> Section:
    """Every metric with its interval, beside what costs nothing."""
    evaluation = facts.evaluation
    groups = evaluation.groups
    grouped = f" in {groups:,} groups that stay together" if groups != evaluation.rows else ""
    classes = evaluation.classes
    by_class = ", ".join(f"{count:,} {escaped(facts.text(key))}" for key, count in classes.items())
    by_class = f" ({by_class})" if by_class else ""
    parts = [
        f"Measured on the holdout: {counted(evaluation.rows, 'row')}{by_class}{grouped}, which "
        "no training run, search or threshold ever saw. In brackets: the 95% interval.",
        _table(facts),
        _against_plain(facts),
    ]
    if facts.low_evidence:
        parts.append(
            f"**Low evidence.** The holdout has fewer than {'10 rows of a class' if classes else '20 rows'}: too few "
            "for an interval. The model is therefore judged by repeated cross-validation, on rows that helped to "
            "choose it: that is optimistic."
        )
    success = evaluation.success
    if success:
        verdict = "met" if success.holds else "**not met**"
        rule = facts.contract.problem.success_rule()
        figure_text = number(success.value, of=rule[0] if rule else "")
        parts.append(f"Asked for by the contract: {code(success.rule)}. It is {verdict}: the figure is {figure_text}.")
    else:
        parts.append("The contract asks for no figure in particular.")
    parts.append(
        f"One record takes {evaluation.latency_ms:.3g} ms (median); the model is {_size(evaluation.size_bytes)}."
    )
    return Section("How good it is", paragraphs(parts), ("roc", "precision_recall"))


def _against_plain(facts: Facts) -> str:
    """The paired comparison with a plain logistic regression, and in what else it is worse than that."""
    plain = facts.contract.task.linear
    gain = gain_over(facts, plain)
    if gain is None or (gain.figure.value == gain.low == gain.high == 0):
        return ""
    told = "" if gain.low > 0 or gain.high < 0 else ": these rows show no difference"
    worse = [
        f"{metric(name)} by {interval(_loss(each), of=name)}"
        for name, each in sorted(facts.evaluation.gains[plain].items())
        if name != facts.metric and each.high is not None and each.high < 0
    ]
    return (
        f"Compared row by row, its gain over a plain {family(plain)} in {metric(facts.metric)} is "
        f"{interval(gain.figure, of=facts.metric)}{told}."
        + (f" Beyond chance it is worse than that in {' and in '.join(worse)}." if worse else "")
    )


def _loss(gain: Figure) -> Figure:
    """A gain, seen from the other side."""

    def turned(value: float | None) -> float | None:
        return None if value is None else -value

    return Figure(value=turned(gain.value), low=turned(gain.high), high=turned(gain.low))


def _table(facts: Facts) -> str:
    evaluation = facts.evaluation
    baselines = evaluation.baselines
    crossed = evaluation.cross_validated or {}
    header = ["metric", "this model", *(["repeated cross-validation"] if crossed else [])]
    floor = facts.contract.task.floor
    header += [family(name) if name == floor else f"plain {family(name)}" for name in baselines]
    rows = []
    for name in sorted(evaluation.metrics, key=lambda name: name != facts.metric):
        shown = metric(name)
        row = [f"**{shown}**" if name == facts.metric else shown, interval(evaluation.metrics[name], of=name)]
        if crossed:
            row.append(interval(crossed[name], of=name))
        row += [interval(figures[name], of=name) for figures in baselines.values()]
        rows.append([f"{row[0]} ({MEANINGS.get(name, '')})" if name in MEANINGS else row[0], *row[1:]])
    return table(header, rows)


def brief_table(facts: Facts) -> str:
    """The holdout's figures, without words."""
    rows = [[metric(name), interval(facts.evaluation.metrics[name], of=name)] for name in facts.evaluation.metrics]
    return table(["holdout", "value (95% interval)"], rows)


def threshold(facts: Facts) -> Section:
    """Where the line is drawn, and what that means for people."""
    contract, confusion, chosen = facts.contract, facts.evaluation.confusion, facts.evaluation.threshold
    texts = [escaped(contract.texts[key]) for key in contract.classes]
    positive = contract.positive_index
    parts = []
    if positive >= 0:
        rule = contract.training.threshold
        how = (
            f"the number that the contract gives ({rule:g})"
            if isinstance(rule, float)
            else f"what costs least on out-of-fold scores, a false alarm {rule.cost_fp:g} and a miss {rule.cost_fn:g}"
            if isinstance(rule, Costs)
            else "where F1 is best on out-of-fold scores"
        )
        parts.append(
            f"It says “{texts[positive]}” from a probability of {number(chosen)} on: {how}. "
            "The threshold is sealed in the release, never chosen on the holdout."
        )
        parts.append(_in_words(texts, confusion, positive))
    else:
        parts.append("It says the most probable class.")
        parts.append(bullets([_row_in_words(texts, confusion, index) for index in range(len(texts))]))
    header = ["actual class", *(f"predicted: {text}" for text in texts), "rows"]
    rows = [[texts[index], *(f"{count:,}" for count in row), f"{sum(row):,}"] for index, row in enumerate(confusion)]
    parts.append(table(header, rows))
    return Section("Where it draws the line", paragraphs(parts), ("confusion",))


def _in_words(texts: list[str], confusion: list[list[int]], positive: int) -> str:
    negative = 1 - positive
    hits, missed = confusion[positive][positive], confusion[positive][negative]
    alarms, right = confusion[negative][positive], confusion[negative][negative]
    raised = hits + alarms
    return (
        f"Of {_rows_that_are(hits + missed)} “{texts[positive]}” it finds {hits:,} and misses {missed:,}. "
        f"Of {_rows_that_are(alarms + right)} “{texts[negative]}” it gets {right:,} right and raises "
        f"{counted(alarms, 'false alarm')}. "
        + (f"So of {raised:,} times that it says “{texts[positive]}”, {hits:,} are right." if raised else "")
    )


def _rows_that_are(count: int) -> str:
    return f"{counted(count, 'row')} that {'is' if count == 1 else 'are'}"


def _row_in_words(texts: list[str], confusion: list[list[int]], index: int) -> str:
    row = confusion[index]
    wrong = sorted(((count, other) for other, count in enumerate(row) if other != index and count), reverse=True)
    mistaken = ", ".join(f"{count:,} predicted as “{texts[other]}”" for count, other in wrong[:5])
    right = f"{row[index]:,} right"
    return f"{_rows_that_are(sum(row))} “{texts[index]}”: {right}{', ' + mistaken if mistaken else ''}"


def calibration(facts: Facts, measured: CalibrationFigures) -> Section:
    """Whether the probabilities are calibrated."""
    fitted = facts.fit.calibration
    kinds = {
        "platt": "Scores were turned into probabilities by Platt scaling",
        "temperature": "Scores were turned into probabilities by one temperature",
    }
    named = {"a": fitted.a, "b": fitted.b, "t": fitted.t}
    numbers = ", ".join(f"{name} = {value:.3g}" for name, value in named.items() if value is not None)
    parts = [
        f"{kinds[fitted.kind]} ({numbers}), fitted on out-of-fold scores and part of the exported model."
        if fitted.kind in kinds
        else f"Its probabilities are the model's own: {escaped(fitted.why or 'they were not calibrated')}.",
        f"On the holdout a probability is off by {number(measured.error)} on average (the expected calibration "
        f"error){_by_chance(measured)}.",
    ]
    if measured.bins:
        rows = [
            [
                _range(item.low, item.high),
                f"{item.rows:,}",
                number(item.mean_predicted),
                number(item.observed),
            ]
            for item in measured.bins
        ]
        parts.append(table(["it said", "rows", "on average", "came true"], rows))
    return Section("Whether its probabilities can be taken at their word", paragraphs(parts), ("calibration",))


def _range(low: float, high: float) -> str:
    """With decimals enough to tell both ends apart, from each other and from 0 and 1."""
    for digits in range(2, 7):
        ends = f"{low:.{digits}f}", f"{high:.{digits}f}"
        if ends[0] != ends[1] and (high == 1 or float(ends[1]) < 1) and (low == 0 or float(ends[0]) > 0):
            return f"{ends[0]} to {ends[1]}"
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _by_chance(measured: CalibrationFigures) -> str:
    """What a perfectly calibrated model would show on as many rows."""
    verdict = (
        "so this is no evidence against it" if measured.error <= measured.by_chance_high else "so this is not chance"
    )
    return (
        f"; a perfect one would show {number(measured.by_chance)} on so few rows by chance alone, and less than "
        f"{number(measured.by_chance_high)} in 19 cases of 20, {verdict}"
    )


def slices(facts: Facts) -> Section | None:
    """Where it is better and worse, the worse ones first."""
    found = visible_slices(facts)
    if not found:
        return None
    ranked = sorted(found, key=order_of_slices)
    worse = [item for item in ranked if item.worse]
    shown = ranked[: max(SLICES_SHOWN, len(worse))]
    loss_of = "brier" if facts.evaluation.numbers is None else "rmse"
    rows = [
        [
            f"{escaped(item.feature)}: {escaped(item.slice)}",
            f"{item.rows:,}",
            interval(item, of=facts.metric),
            number(item.brier if item.brier is not None else _loss_of(item), of=loss_of),
            number(item.expected, of=loss_of),
            "**worse**" if item.worse else "" if item.enough else "too few rows",
        ]
        for item in shown
    ]
    judged = [item for item in found if item.enough]
    lead = (
        f"**Worse beyond chance in {len(worse):,} of {counted(len(judged), 'slice')}.**"
        if worse
        else f"In none of {counted(len(judged), 'slice')} is it worse beyond what chance does to one of so many."
    )
    few = len(found) - len(judged)
    less = f" Another {counted(few, 'slice')} {'has' if few == 1 else 'have'} too few rows to be judged." if few else ""
    less += " Small slices have wide intervals: one that is not marked is not proven to be served alike."
    loss, beside = _expectation(facts)
    parts = [
        f"{lead}{less} For every category and the quarters of every number: {metric(facts.metric)}, and the {loss} "
        f"{beside}",
        table(["slice", "rows", metric(facts.metric), loss, "expected", ""], rows),
    ]
    if len(shown) < len(found):
        parts.append(f"The other {len(found) - len(shown):,} are in evaluation.json.")
    return Section("Where it is worse", paragraphs(parts), ("slices",))


def _expectation(facts: Facts) -> tuple[str, str]:
    """The loss that slices are judged by, and what it is compared with."""
    if facts.evaluation.numbers is not None:
        return loss_text(facts.metric).lower(), "beside that of all rows. Some rows are harder than others."
    return (
        "Brier score",
        "beside the one that the model's own probabilities expect of these rows. Rows may be harder than others, and "
        "the model may say so; worse is where it is wrong more than it says.",
    )


def _loss_of(item: SliceFigure) -> float | None:
    excess = item.excess.value
    return None if item.expected is None or excess is None else item.expected + excess


def importance(facts: Facts) -> Section | None:
    """Which features its predictions lean on."""
    found, measured = facts.importance.features, facts.importance.metric
    if not found:
        return None
    unused = [item for item in found if item.value == item.low == item.high == 0]
    found = [item for item in found if item not in unused]
    idle = [item for item in found if item.low is not None and item.low <= 0]
    unsure = all(item.low is None for item in found)
    parts = [
        f"How much {metric(measured)} on the holdout gets worse when a feature's values are shuffled among rows. "
        "It says what the model leans on, not what causes what; of features that say the same, each looks unimportant.",
        table(
            ["feature", "worse by (95% interval)"],
            [[escaped(item.feature), interval(item, of=measured)] for item in found[:FEATURES_SHOWN]],
        ),
    ]
    if len(found) > FEATURES_SHOWN:
        parts.append(f"The other {len(found) - FEATURES_SHOWN:,} matter less: importance.json.")
    if unsure and found:
        parts.append("The rows are too few for intervals: none of these can be told apart from none at all.")
    if idle:
        parts.append(f"Of these, not told apart from none at all: {_features(idle)}.")
    if unused:
        parts.append(f"Shuffling changes nothing for {_features(unused)}.")
    return Section("What it looks at", paragraphs(parts), ("importance",))


def _features(items: list[FeatureImportance]) -> str:
    return listed([escaped(item.feature) for item in items], 20)


def _size(size: int) -> str:
    return f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{size / 1024:.0f} kB"
