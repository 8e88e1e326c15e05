"""`andamio check`: what would go wrong later is said in seconds, and a sound folder passes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from andamio.cli.check import first_model, sample
from andamio.cli.check.bad_values import Refusal, refusals
from andamio.cli.check.check import check
from andamio.cli.check.estimate import estimate, fits_of, seconds_of
from andamio.cli.check.families import Trained
from andamio.cli.check.rehearsal import rehearse
from andamio.cli.check.upgrade import upgrade, upgraded
from andamio.cli.home import REPO
from andamio.cli.models.sample import first_record
from andamio.contract import Contract
from andamio.contract.contract import FORMAT
from andamio.errors import CheckFailed, ContractError, TrainingError
from training import export
from training.families import trainable
from training.own.trial import PipelineError
from training.trials.sample import REPEATS

HEART = REPO / "problems" / "heart"
MEAN = """

def prepare(columns):
    made = plain(columns)
    first = next(name for name, values in made.items() if values.dtype.kind == "f")
    return made | {first: made[first] - np.nanmean(made[first])}
"""
QUICK = '\n[training]\nfamilies = ["logistic_regression"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the heart problem that trains one family."""
    copy = shutil.copytree(HEART, tmp_path / "heart")
    text = (copy / "problem.toml").read_text()
    (copy / "problem.toml").write_text(text.partition("[training]")[0] + QUICK)
    return copy


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "problem.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    return " ".join((printed.err + printed.out).split())


def test_a_sound_folder_passes_and_the_next_command_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = check(folder)
    text = said(capsys)
    assert (findings.failures, findings.warnings) == ([], [])
    for part in (
        "303 valid rows, 242 to train on",
        "no suspect",
        "1 of 1 families train",
        "refused",
        "make demo PROBLEM=",
    ):
        assert part in text, part


def test_a_broken_contract_ends_the_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, 'type        = "integer"', 'type        = "whole"')
    with pytest.raises(CheckFailed, match="1 thing would fail"):
        check(folder)
    assert "[features.age] type: expected" in said(capsys)


def test_rejected_rows_are_summed_by_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "max         = 120", "max         = 70")
    findings = check(folder)
    rows = sum(float(line.split(",")[0]) > 70 for line in (folder / "heart.csv").read_text().splitlines()[1:])
    assert rows > 0
    assert findings.warnings == [f"data: {rows} of 303 rows are rejected, by reason:"]
    assert f"{rows} age: must be between 0 and 70" in said(capsys)


def test_more_rejected_rows_than_etl_takes_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "max         = 120", "max         = 55")
    with pytest.raises(CheckFailed):
        check(folder)
    assert "rows break the contract, more than 20%" in said(capsys)


def test_a_file_that_is_not_there_fails_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, '"heart.csv"', '"Heart.csv"')
    with pytest.raises(CheckFailed):
        check(folder)
    assert "Did you mean 'heart.csv'" in said(capsys)


@pytest.mark.parametrize("leakage", ["warn", "stop"])
def test_a_leak_is_a_warning_or_stops_as_the_contract_says(folder: Path, leakage: str) -> None:
    lines = (folder / "heart.csv").read_text().splitlines()
    place = lines[0].split(",").index("disease")
    copied = [f"{line},{'copy' if row == 0 else line.split(',')[place]}" for row, line in enumerate(lines)]
    (folder / "heart.csv").write_text("\n".join(copied) + "\n")
    text = (folder / "problem.toml").read_text() + f'leakage = "{leakage}"\n[features.copy]\ntype = "category"\n'
    (folder / "problem.toml").write_text(text)
    if leakage == "stop":
        with pytest.raises(CheckFailed):
            check(folder)
    else:
        assert any("'copy' copies the label" in warning for warning in check(folder).warnings)


def made(folder: Path, contract: str, columns: dict[str, list[object]]) -> Path:
    """A problem of these columns, which trains one family."""
    folder.mkdir()
    rows = zip(*columns.values(), strict=True)
    (folder / "made.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in [columns.keys(), *rows]))
    (folder / "problem.toml").write_text(contract + '\n[data]\nfiles = ["made.csv"]\n')
    return folder


NUMBERS = """
[problem]
name = "made"
task = "regression"
target = "y"
target_min = -100
target_max = 100
[training]
families = ["ridge"]
[features.a]
type = "number"
min = -100
max = 100
[features.b]
type = "number"
min = -100
max = 100
"""


@pytest.mark.parametrize("told", [False, True])
def test_a_first_model_that_the_gate_may_not_promote_is_foretold(
    tmp_path: Path, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    a, b, noise = rng.normal(size=(3, 300))
    target = a + noise if told else noise
    findings = check(made(tmp_path / "made", NUMBERS, {"a": [*a], "b": [*b], "y": [*target]}))
    assert ("a first model is likely to be promoted: rmse" in said(capsys)) == told
    assert any("a first model may not be promoted, and then nothing serves" in one for one in findings.warnings) != told


@pytest.mark.parametrize("beside", ["nothing", "a copy", "a counter"])
def test_a_number_that_columns_give_away_together_is_pointed_out_unless_one_does_alone(
    tmp_path: Path, beside: str
) -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 300))
    columns: dict[str, list[object]] = {"a": [*a], "b": [*b], "y": [*(a - b)]}
    contract = NUMBERS
    if beside != "nothing":
        columns["c"] = [*(2 * (a - b))] if beside == "a copy" else [*range(1000, 1300)]
        contract += '[features.c]\ntype = "number"\nmin = -100\nmax = 2000\n'
    warnings = check(made(tmp_path / "made", contract, columns)).warnings
    assert sum("computed of several columns" in one for one in warnings) == (beside != "a copy")
    assert sum("'c' alone tells the quarters of 'y' apart" in one for one in warnings) == (beside == "a copy")
    assert sum("'c' looks like an identifier" in one for one in warnings) == (beside == "a counter")


CLASSES = """
[problem]
name = "made"
task = "classification"
target = "y"
group = "g"
labels = { no = "no", yes = "yes" }
[training]
families = ["logistic_regression"]
"""


def test_a_feature_that_one_fold_alone_has_is_a_warning_and_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = range(300)
    columns: dict[str, list[object]] = {
        "on": [int(row < 40 and row % 3 > 0) for row in rows],
        "g": ["one" if row < 40 else f"g{row}" for row in rows],
        "y": ["yes" if row % 2 else "no" for row in rows],
    }
    contract = CLASSES + '[features.on]\ntype = "boolean"\n'
    *_, warning = check(made(tmp_path / "made", contract, columns)).warnings
    assert "no family can be fitted on every fold of train" in warning
    assert "logistic_regression: ValueError: every feature is empty or constant" in warning
    assert "a first model" not in said(capsys), "nothing is known of it"


@pytest.mark.parametrize(
    "error", [TrainingError("no fit"), ValueError("no fit"), PipelineError("no fit"), FloatingPointError("no fit")]
)
def test_a_family_that_fails_on_a_fold_is_left_out_and_the_others_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fit(contract: Contract, family: str, *given: Any, **more: Any) -> Any:
        if family == "ridge":
            raise error
        return trainable.fit_family(contract, family, *given, **more)

    monkeypatch.setattr(first_model, "fit_family", fit)
    a, noise = np.random.default_rng(3).normal(size=(2, 300))
    contract = NUMBERS.replace('"ridge"', '"ridge", "random_forest"').partition("[features.b]")[0]
    findings = check(made(tmp_path / "made", contract, {"a": [*a], "y": [*(a + noise / 4)]}))
    name = "" if isinstance(error, TrainingError | PipelineError) else f"{type(error).__name__}: "
    assert [one for one in findings.warnings if one.endswith(f"and may be left out: ridge: {name}no fit")]
    assert "(random_forest, out of fold" in said(capsys)


def test_a_family_whose_scores_are_no_numbers_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(contract: Contract, family: str, encoded: Any, *given: Any, **more: Any) -> Any:
        return SimpleNamespace(predict=lambda rows: np.full((len(rows.numbers), 1), np.nan))

    monkeypatch.setattr(first_model, "fit_family", fit)
    a = np.random.default_rng(3).normal(size=300)
    contract = NUMBERS.partition("[features.b]")[0]
    *_, warning = check(made(tmp_path / "made", contract, {"a": [*a], "y": [*np.abs(a)]})).warnings
    assert "ridge: ValueError: predicted something that is not a finite number" in warning


def test_rows_that_no_folds_can_be_made_of_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = CLASSES + '[features.a]\ntype = "number"\nmin = -100\nmax = 100\n'
    a = np.random.default_rng(3).normal(size=300)
    groups = ["two" if row < 20 else "three" if row < 40 else f"g{row}" for row in range(300)]
    labels = ["yes" if row < 40 else "no" for row in range(300)]
    with pytest.raises(CheckFailed):
        check(made(tmp_path / "made", contract, {"a": [*a], "g": groups, "y": labels}))
    assert "'yes' has 1" in said(capsys)


def test_a_family_that_cannot_be_exported_is_said_to_be_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(fitted: object) -> bytes:
        raise NotImplementedError("no converter")

    monkeypatch.setattr(export, "to_onnx", refuse)
    with pytest.raises(CheckFailed):
        check(folder)
    assert "logistic_regression would be left out: NotImplementedError: no converter" in said(capsys)


def test_a_regression_is_checked_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{place % 37},{(place % 37) * 2.5 + place % 5}" for place in range(120)]
    (tmp_path / "data.csv").write_text("\n".join(["size,price", *rows]) + "\n")
    (tmp_path / "problem.toml").write_text(
        '[problem]\nname = "prices"\ntask = "regression"\ntarget = "price"\n[data]\nfiles = ["data.csv"]\n'
        '[features.size]\ntype = "number"\n[training]\nfamilies = ["ridge", "random_forest"]\n'
    )
    findings = check(tmp_path)
    assert findings.failures == []
    assert "2 of 2 families train on" in said(capsys)


def test_a_prepare_that_looks_at_other_rows_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(REPO / "problems" / "listings", tmp_path / "listings")
    source = (copy / "prepare.py").read_text()
    (copy / "prepare.py").write_text(source.replace("def prepare(columns):", "def plain(columns):") + MEAN)
    with pytest.raises(CheckFailed, match="1 thing would fail"):
        check(copy)
    assert "prepare.py:" in said(capsys)


def test_every_rule_of_a_contract_refuses_its_bad_value_by_field() -> None:
    contract = Contract.load(HEART)
    found = list(refusals(contract, first_record(HEART / "heart.csv", contract)))
    assert all(refusal.reason for refusal in found)
    assert {refusal.field for refusal in found} >= {*contract.inputs, "disease"}
    codes = {refusal.code for refusal in found}
    assert codes >= {
        "not-a-number",
        "out-of-range",
        "unknown-category",
        "missing-value",
        "unknown-field",
        "not-one-value",
    }


def test_a_bad_value_is_one_that_a_float_holds_and_that_does_not_mean_no_value() -> None:
    contract = Contract.from_toml(
        """
        [problem]
        name = "bounds"
        target = "y"
        labels = { no = "No", yes = "Yes" }
        [data]
        missing = ["", "-1", "-2", "abc", "2.5"]
        [features.far]
        type = "number"
        min = -1e30
        max = 1e17
        [features.near]
        type = "number"
        min = 0
        max = 9
        required = false
        [features.count]
        type = "integer"
        min = 2
        max = 9
        required = false
        """
    )
    found = list(refusals(contract, {"far": 1, "near": 1, "count": 3}))
    assert [refusal for refusal in found if not refusal.reason] == []
    assert {(refusal.field, refusal.sent) for refusal in found} >= {
        (field, sent) for field in ("far", "near", "count") for sent in ("less than min", "more than max")
    }


def test_a_bad_value_that_is_accepted_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("andamio.cli.check.bad_values.refusals", lambda *_: iter([Refusal("age", "a word")]))
    with pytest.raises(CheckFailed):
        check(folder)
    assert "'age' accepts a word" in said(capsys)


def test_a_large_file_is_sampled_over_all_of_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "WHOLE", 1000)
    monkeypatch.setattr(sample, "ROWS", 50)
    contract = Contract.from_toml(
        '[problem]\nname = "ab"\ntarget = "y"\nlabels = { a = "a", b = "b" }\n[features.x]\ntype = "category"\n'
    )
    rows = [f'"row {place},\nsecond line",{"ab"[place >= 500]}' for place in range(1000)]
    (tmp_path / "large.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    body, total = sample.sampled(tmp_path / "large.csv", contract)
    result = rehearse(contract, {"large.csv": body})
    assert total == 1000
    assert result.info is not None
    assert result.info.rows.valid == 50
    assert min(result.info.classes.values()) > 10


def test_time_grows_with_rows_and_trials() -> None:
    contract = Contract.load(HEART)
    family = Trained("a", (100, 400), (1.0, 1.3))
    assert seconds_of(family, 400) == pytest.approx(1.3)
    assert seconds_of(family, 4000) == pytest.approx(1.3 + 3600 * 0.001)
    few, many = (estimate(contract, [family], rows) for rows in (400, 2_000_000))
    assert (few.fits, few.function, many.function) == (12 * 5 * REPEATS, True, False)
    assert many.fits == 12 * 3 + 4 * 3 + 3 * 5, "on an eighth, on a half, and on all rows, folds drawn once"
    assert np.isfinite(many.here)
    assert many.aws > few.aws


def test_the_time_of_a_race_is_that_of_its_rungs() -> None:
    assert fits_of(12, 10, 14_999) == [(1.0, 120)]
    assert fits_of(12, 10, 15_000) == [(1 / 2, 24), (1.0, 12), (1.0, 3 * 7)]
    assert fits_of(2, 10, 15_000) == [(1 / 2, 4), (1.0, 6), (1.0, 14)], "no more trials than there are"
    contract = Contract.load(HEART)
    family = Trained("a", (100, 400), (0.1, 0.4))  # a millisecond a row
    full, race = (estimate(contract, [family], rows) for rows in (14_999, 15_000))
    assert (full.fits, race.fits) == (120, 57)
    assert race.aws < full.aws / 2


# The format


def test_a_file_without_a_version_gets_one_and_keeps_its_comments() -> None:
    text = (HEART / "problem.toml").read_text().replace(f"format = {FORMAT}\n\n", "")
    result, changes = upgraded(text)
    assert changes == [f"format is {FORMAT}"]
    assert result.replace(f"format = {FORMAT}\n\n", "") == text
    assert Contract.from_toml(result).digest == Contract.from_toml(text).digest
    assert upgraded(result) == (result, [])


def test_settings_that_never_had_an_effect_are_taken_out(tmp_path: Path) -> None:
    text = (HEART / "problem.toml").read_text().replace("[data]\n", '[data]  # the files\nimages = "pictures/"\n')
    (tmp_path / "problem.toml").write_text(text.replace(f"format = {FORMAT}\n\n", ""))
    with pytest.raises(ContractError, match="reserved"):
        Contract.load(tmp_path)
    assert upgrade(tmp_path) == ["[data] images is taken out: it never had an effect", f"format is {FORMAT}"]
    assert "[data]  # the files" in (tmp_path / "problem.toml").read_text()
    Contract.load(tmp_path)


@pytest.mark.parametrize(
    ("version", "message"),
    [("2", "has format 2, and this version of Andamio reads up to format 1"), ("0", "format: "), ('"1"', "format: ")],
)
def test_a_newer_format_and_what_is_none_are_refused(version: str, message: str) -> None:
    text = (HEART / "problem.toml").read_text().replace(f"format = {FORMAT}\n", "")
    with pytest.raises(ContractError, match=message) as caught:
        Contract.from_toml(f"format = {version}\n[future]\nkey = 1\n{text}")
    assert ("future" in str(caught.value)) is (version != "2")


def test_an_upgrade_of_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text("[problem]\nname = 'x'\n")
    with pytest.raises(ContractError):
        upgrade(tmp_path)
    assert (tmp_path / "problem.toml").read_text() == "[problem]\nname = 'x'\n"
