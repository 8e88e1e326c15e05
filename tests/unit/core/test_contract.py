"""The contract says one thing, keeps it, and names what is wrong with a file."""

from __future__ import annotations

import json
import pickle
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from andamio.contract import Contract
from andamio.contract.tables import Monitor
from andamio.errors import ContractError
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse

from .making import HERE, PROBLEM, PROBLEMS, contract, contracts, one

EVERYTHING = (HERE / "everything.toml").read_text(encoding="utf-8")


def refused(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        Contract.from_toml(text, "problem.toml")
    return str(caught.value)


def test_every_key_of_the_format_is_read() -> None:
    said = tomllib.loads(EVERYTHING)
    read = Contract.from_toml(EVERYTHING).model_dump(mode="json")
    read["problem"]["labels"] = {key: label["text"] for key, label in read["problem"]["labels"].items()}

    def within(part: dict[str, Any], whole: dict[str, Any], place: str) -> None:
        for key, value in part.items():
            if isinstance(value, dict):
                within(value, whole[key], f"{place}.{key}")
            else:
                assert whole[key] == value, f"{place}.{key}"

    within(said, read, "")


@pytest.mark.parametrize(
    ("said", "share"),
    [("", 1.0), ('capture = "all"', 1.0), ('capture = "sample"\nsample = 0.25', 0.25), ('capture = "none"', 0.0)],
)
def test_what_is_captured_is_a_share_of_predictions(said: str, share: float) -> None:
    text = '[problem]\nname = "small"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n[features.age]\ntype = "number"\n'
    assert Contract.from_toml(f"{text}[monitor]\n{said}").monitor.capture_share == share


def test_of_a_sample_the_predictions_that_want_a_label_are_kept_besides() -> None:
    monitor = Monitor(capture="sample", sample=0.2, audit_share=0.5)
    assert monitor.drawn_share == pytest.approx(0.6)
    assert [Monitor(capture=kind).drawn_share for kind in ("all", "none")] == [1, 0]


def test_only_problem_and_features_are_needed() -> None:
    small = one('type = "number"')
    assert small.training.trials == 24
    assert small.gate.confidence == 0.95
    assert small.data.missing == ("",)
    assert small.classes == ("no", "yes")
    assert small.positive_index == 1


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in PROBLEMS.glob("*/problem.toml")))
def test_the_problems_shipped_are_valid(folder: str) -> None:
    assert Contract.load(PROBLEMS / folder).problem.name == folder


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (("success ", "sucess "), "problem.toml: [problem] sucess: unknown key; did you mean 'success'?"),
        (("[batch]", "[bacth]"), "problem.toml: [bacth] unknown key; did you mean 'batch'?"),
        (("max         = 150", "maxx = 150"), "problem.toml: [features.age] maxx: unknown key; did you mean 'max'?"),
        (("min_gain ", "gain "), "problem.toml: [gate] gain: unknown key; did you mean 'min_gain'?"),
        (
            ("trials       = 24", "trials = 2001"),
            "problem.toml: [training] trials: expected less than or equal to 2000",
        ),
        (("trials       = 24", 'trials = "many"'), '[training] trials: expected a whole number; got "many"'),
        (("explanations = true", "explanations = 7"), "[release] explanations: expected true or false; got 7"),
        # What is not built is refused by name: a model behind it would be served to everybody all the same.
        (('"direct"', '"blue-green"'), "[release] strategy: expected 'direct', 'shadow' or 'canary'"),
        (("explanations = true", "share = 0.6"), "[release] share: expected less than or equal to 0.5"),
        (("explanations = true", "minutes = 0"), "[release] minutes: expected greater than or equal to 1"),
        (("explanations = true", "max_disagreement = 0.0"), "[release] max_disagreement: expected greater than 0"),
        (
            ("[batch]", '[monitor]\nretrain = true\ncapture = "none"\n[batch]'),
            '[monitor] retrain: true needs the records of predictions, and capture = "none" keeps none; set capture to '
            '"all"',
        ),
        (
            ("[batch]", '[monitor]\naudit_share = 0.02\ncapture = "none"\n[batch]'),
            "problem.toml: [monitor] audit_share: replies would ask for labels that nothing uses, since capture = "
            '"none" '
            'keeps no prediction; set capture to "all" or "sample", or audit_share to 0',
        ),
        (("[batch]", "[monitor]\ncooldown_hours = 0\n[batch]"), "[monitor] cooldown_hours: expected greater than or"),
        (("[batch]", "[monitor]\nretrain_per_week = 0\n[batch]"), "[monitor] retrain_per_week: expected greater than"),
        (
            ("[batch]", "[monitor]\nkeep_days = 30\nlabel_delay_hours = 720\n[batch]"),
            "[monitor] keep_days: 30 days are shorter than window_hours and label_delay_hours together (744 hours); at "
            "least 31",
        ),
        (('"roc_auc"\nfam', '"auc"\nfam'), "[training] metric: expected 'roc_auc', 'log_loss'"),
        (
            ('type        = "integer"', 'type = "text"'),
            "[features.age] type: expected 'integer', 'number', 'boolean', 'category' or 'date'; got \"text\"",
        ),
        (('type        = "integer"', 'type = "image"'), '[features.age] type: "image" is not supported yet'),
        (('type        = "integer"', 'kind = "integer"'), "[features.age] type: is missing"),
        (("classification", "ranking"), "[problem] task: expected 'classification' or 'regression'; got \"ranking\""),
        (('decimal   = ","', 'images = "x/"'), "[data] images: is reserved and not built yet; leave it out"),
        (("latin-1", "latin-99"), "[data] encoding: 'latin-99' is not an encoding that Python knows"),
        (("latin-1", "punycode"), "[data] encoding: 'punycode' is not an encoding that Python knows"),
        (('positive    = "1"', 'positive = "2"'), "[problem] positive: '2' is not one of the labels: 0, 1"),
        (("roc_auc >= 0.85", "better"), '[problem] success: expected a comparison such as "roc_auc >= 0.85"'),
        (("min         = 0", "min = 150"), "[features.age] min: 150 must be below max, which is 150"),
        (("max         = 150", "max = nan"), "[features.age] max: expected a finite number"),
        (("max         = 150", "max = 20_000_000"), "use a category, a date, or subtract an offset"),
        (('type    = "date"', 'type = "date"\nmin = 3'), "[features.admitted_on] min: only an integer or a number"),
        (("threshold    = 0.5", "threshold = 1.5"), "[training] threshold: expected a number between 0 and 1"),
        (("threshold    = 0.5", "threshold = { cost_fp = 1 }"), "[training] threshold.cost_fn: is missing"),
        (("required   = false", ""), '[features.chol] on_invalid: "missing" needs required = false'),
        (('"heart"', '"Heart"'), "[problem] name: expected 2 to 31 lower-case letters"),
        (('"heart"', '"heart--prod"'), "[problem] name: expected no '--', which stands before a stage"),
        (('files     = ["heart.csv"]', 'files = "heart.csv"'), '[data] files: expected a list; got "heart.csv"'),
        (
            ('files     = ["heart.csv"]', 'files = ["heart.csv", "heart.csv"]'),
            "[data] files: 'heart.csv' is listed twice: its rows would be read twice",
        ),
        (("[features.age]", "[features.visit_id]"), "'visit_id' is the id of [problem]"),
        (("[features.age]", '["features"._key]'), "'_key' is a column that data versions add"),
        (("[features.age]", '[features."a\\nb"]'), "without line breaks"),
        (("[features.age]", "[features.admitted_on_month]"), "'admitted_on_month' is there twice"),
    ],
)
def test_an_error_names_file_table_and_key(edit: tuple[str, str], named: str) -> None:
    assert edit[0] in EVERYTHING
    assert named in refused(EVERYTHING.replace(*edit, 1))


def test_every_error_is_named_at_once() -> None:
    said = refused(EVERYTHING.replace("trials       = 24", "trials = 0").replace("keep_days", "kept_days"))
    assert len(said.splitlines()) == 2
    assert "did you mean 'keep_days'?" in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "problem.toml: [problem] this table is missing"),
        ("x = ", "problem.toml: not valid TOML"),
        (PROBLEM, "[features] this table is missing"),
        (PROBLEM + "[features]\nage = 5", "[features.age] expected a table; got 5"),
        (PROBLEM + '[features.x]\ntype = "category"\nvalues = [[1]]', "[features.x] values: expected a list of values"),
        (PROBLEM + '[features.x]\ntype = "category"\nvalues = []', "[features.x] values: expected at least one value"),
        (PROBLEM + '[features.x]\ntype = "category"\nvalues = [4, "4.0"]', "values: '4' is listed twice"),
        (PROBLEM + '[features.x]\ntype = "integer"\nmin = 0.2\nmax = 0.8', "min: no integer lies between 0.2 and 0.8"),
        (PROBLEM + '[features.x]\ntype = "number"\nmax = 1e39', "max: a number beyond 3.4e38 cannot be held"),
        (PROBLEM + '[features.x]\ntype = "date"\navailable_at_prediction = false', "at least one feature must be"),
    ],
)
def test_what_is_no_contract_is_an_error_for_people(text: str, named: str) -> None:
    assert named in refused(text)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ('{ "0" = "A" }', "labels: expected 2 to 100 classes"),
        ('{ "0" = "A", "0.0" = "B", "1" = "C" }', "labels: '0' is listed twice"),
        ('{ a = 5, b = "B" }', "labels: 'a': expected the text shown"),
        (
            '{ a = { text = "A", values = ["1", "2"] }, b = { text = "B", values = ["2.0"] } }',
            "the value '2' stands under",
        ),
        ('{ a = { text = "A", values = [] }, b = "B" }', "labels.a.values: expected at least one"),
        ('{ a = { txt = "A", values = ["1"] }, b = "B" }', "labels.a.txt: unknown key; did you mean 'text'?"),
    ],
)
def test_labels_that_collide_are_refused(labels: str, named: str) -> None:
    usual = '{ "0" = "Healthy patient", "1" = "Heart disease detected" }'
    assert named in refused(EVERYTHING.replace(usual, labels, 1).replace('positive    = "1"', ""))


def test_a_missing_file_says_what_a_problem_is(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"no such file. A problem is a folder with a problem.toml in it"):
        Contract.load(tmp_path)


def test_a_file_that_windows_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(EVERYTHING, encoding="utf-8-sig", newline="\r\n")
    assert Contract.load(tmp_path) == Contract.from_toml(EVERYTHING)


def test_several_values_may_mean_one_class() -> None:
    read = contract(
        '[features.x]\ntype = "number"',
        PROBLEM.replace(
            '{ no = "No", yes = "Yes" }',
            '{ well = { text = "Well", values = ["0"] }, ill = { text = "Ill", values = ["1", "2", 3] } }',
        ).replace(", 3]", ', "3"]'),
    )
    table = parse(read, {"x": ["1"] * 5, "y": ["0", "1", "2.0", "3", "4"]}, 5, text=True, training=True)
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 1, 1, -1]
    assert read.texts == {"well": "Well", "ill": "Ill"}
    assert [(problem.row, problem.field) for problem in table.violations] == [(4, "y")]


def test_classes_keep_the_order_of_the_file() -> None:
    read = contract(
        '[features.x]\ntype = "number"', PROBLEM.replace('no = "No", yes = "Yes"', 'z = "Z", a = "A", m = "M"')
    )
    assert read.classes == ("z", "a", "m") == Contract.from_json(read.to_json()).classes
    assert read.positive_index == -1


@given(contracts())
def test_what_is_sealed_is_read_back_the_same(drawn: Contract) -> None:
    again = Contract.from_json(drawn.to_json())
    assert again == drawn
    assert again.to_json() == drawn.to_json()
    assert (again.digest, again.data_digest) == (drawn.digest, drawn.data_digest)
    assert list(again.inputs) == list(drawn.inputs)


def test_the_whole_format_is_read_back_the_same() -> None:
    read = Contract.from_toml(EVERYTHING.replace("threshold    = 0.5", "threshold = { cost_fp = 1, cost_fn = 5 }"))
    again = Contract.from_json(read.to_json())
    assert again == read
    assert again.digest == read.digest
    assert json.loads(read.to_json())["training"]["threshold"] == {"cost_fp": 1.0, "cost_fn": 5.0}


def test_a_contract_survives_pickling_and_threads_also_after_use() -> None:
    read = Contract.from_toml(EVERYTHING)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: (read.number_columns, read.classes, read.digest), range(64)))
    assert len(set(seen)) == 1
    again = pickle.loads(pickle.dumps(read))
    assert again == read == Contract.from_toml(EVERYTHING)
    assert again.number_columns == ("age", "chol", "admitted_on_age_days", "admitted_on_month", "admitted_on_weekday")


@pytest.mark.parametrize(
    "more", ["", '[raw.chol]\ntype = "text"\nexample = "212 mg"\n'], ids=["as it is", "with a column of [raw]"]
)
def test_a_contract_equals_another_after_both_said_what_is_sent(more: str) -> None:
    one, other = Contract.from_toml(EVERYTHING + more), Contract.from_toml(EVERYTHING + more)
    assert (one.sent is one) == (not more)
    assert one.sent == other.sent
    assert one == other
    assert one != Contract.from_toml(EVERYTHING.replace("trials       = 24", "trials = 99") + more)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"Heart disease"', '"Cardiology"'),
        ("roc_auc >= 0.85", "roc_auc >= 0.9"),
        ("Healthy patient", "Well"),
        ('positive    = "1"', 'positive = "0"'),
        ("typical angina", "angina"),
        ("Age of the patient", "Age in whole years"),
        ('files     = ["heart.csv"]', 'files = ["other.csv"]'),
        ("trials       = 24", "trials = 99"),
        ("seed         = 7", "seed = 8"),
        ("confidence     = 0.95", "confidence = 0.9"),
        ("keep_days = 90", "keep_days = 9"),
    ],
)
def test_what_does_not_change_data_leaves_the_data_digest(before: str, after: str) -> None:
    assert before in EVERYTHING
    one_, other = Contract.from_toml(EVERYTHING), Contract.from_toml(EVERYTHING.replace(before, after, 1))
    assert one_.data_digest == other.data_digest
    assert one_.digest != other.digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"disease"', '"sick"'),
        ('"0" = "Healthy patient"', '"2" = "Healthy patient"'),
        ('id          = "visit_id"', ""),
        ('group       = "patient_id"', 'group = "ward"'),
        ('"visited_at"', '"seen_at"'),
        ('["", "?"]', '["", "?", "NA"]'),
        ('decimal   = ","', 'decimal = "."'),
        ("max         = 150", "max = 120"),
        ("required   = false", "required = false\nmin = 3"),
        ("[features.age]", "[features.years]"),
        ('"4" = "asymptomatic"', '"5" = "asymptomatic"'),
        ('unknown = "reject"', 'unknown = "other"'),
    ],
)
def test_what_changes_data_changes_the_data_digest(before: str, after: str) -> None:
    assert before in EVERYTHING
    changed = Contract.from_toml(EVERYTHING.replace(before, after, 1))
    assert changed.data_digest != Contract.from_toml(EVERYTHING).data_digest


def test_a_default_said_aloud_is_no_change() -> None:
    plain, said = one('type = "number"'), one('type = "number"\nrequired = true\non_invalid = "reject"')
    assert (plain.digest, plain.data_digest) == (said.digest, said.data_digest)


def test_only_a_sealed_contract_encodes_and_sealing_takes_the_rest_as_other() -> None:
    open_ = one('type = "category"')
    assert not open_.sealed
    assert open_.inputs["x"].values is None
    table = parse_records(open_, [{"x": "a"}, {"x": "z"}])
    with pytest.raises(ContractError, match=r"\[features.x\] values: they are learned from train"):
        encode(open_, table)
    sealed = open_.seal({"x": ["a", "b"]})
    assert sealed.sealed
    assert sealed.inputs["x"].values == {"a": "a", "b": "b"}  # nothing that was looked at before stays behind
    assert encode(sealed, table).categories.tolist() == [["a"], ["__other__"]]
    assert not open_.sealed
    assert Contract.from_json(sealed.to_json()) == sealed


def test_a_contract_that_was_sealed_with_settings_of_later_is_read_without_them() -> None:
    now = Contract.from_toml(EVERYTHING)
    sealed = json.loads(now.to_json())
    sealed["monitor"] |= {"window_hours": 24, "capture": "all", "sample": 0.1}
    sealed["data"]["images"] = "images/"
    assert Contract.from_json(json.dumps(sealed)) == now
    sealed["monitor"] |= {"capture": "none", "audit_share": 0.02}  # people can no longer write both
    assert Contract.from_json(json.dumps(sealed)).monitor.audit_share == 0.02
    sealed["release"]["shere"] = 0.1
    with pytest.raises(ContractError, match=r"\[release\] shere: unknown key"):
        Contract.from_json(json.dumps(sealed))


@pytest.mark.parametrize(
    ("toml", "hint"),
    [
        ('[features.DíaDeLaSemana]\ntype = "integer"\n', '"DíaDeLaSemana"'),
        ("año = 3\n", '"año"'),
        ('[problem]\nlabels = { no = "No", sí = "Yes" }\n', '"sí"'),
        ("[features.blood pressure]\n", '"blood pressure"'),
    ],
)
def test_a_name_that_needs_quotes_is_told_so_with_file_and_line(toml: str, hint: str) -> None:
    with pytest.raises(
        ContractError, match=r"(?s)where/problem\.toml: not valid TOML.*at line \d+.* in quotes: "
    ) as told:
        Contract.from_toml(toml, "where/problem.toml")
    assert str(told.value).endswith(hint)


@pytest.mark.parametrize(
    "toml", ["[features.x\n", "x = 5 5\n", "[features.x]\ntype = integer\n", '"', "a = [\n", "=\n"]
)
def test_other_mistakes_in_toml_are_not_taken_for_missing_quotes(toml: str) -> None:
    with pytest.raises(ContractError, match="not valid TOML") as told:
        Contract.from_toml(toml)
    assert "quotes:" not in str(told.value)


def test_names_and_values_are_composed_whatever_form_the_file_has() -> None:
    toml = HEAD_OF_CITIES.replace("ó", "o\u0301").replace("í", "i\u0301")
    decomposed, composed = Contract.from_toml(toml), Contract.from_toml(HEAD_OF_CITIES)
    assert decomposed.digest == composed.digest
    assert list(composed.inputs) == ["día"]
    assert list(composed.inputs["día"].values or {}) == ["Córdoba"]
    assert composed.label_index == {"no": 0, "sí": 1}


HEAD_OF_CITIES = """
[problem]
name = "cities"
target = "y"
labels = { no = "No", "sí" = "Yes" }
[features."día"]
type = "category"
values = ["Córdoba"]
"""
