"""MLflow's scoring protocol: clients of MLflow and SageMaker work unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest
from mlflow.deployments import PredictionsResponse
from mlflow.utils.proto_json_utils import dump_input_data

from tests.support.api import Api
from tests.unit.api.conftest import LOAN, PATIENT

SPLIT = {"columns": list(PATIENT), "data": [list(PATIENT.values())]}
FORMS = {
    "dataframe_split": {"dataframe_split": SPLIT},
    "dataframe_split with an index": {"dataframe_split": SPLIT | {"index": [0]}},
    "dataframe_records": {"dataframe_records": [PATIENT]},
    "instances": {"instances": [PATIENT]},
    "inputs in rows": {"inputs": [PATIENT]},
    "inputs in columns": {"inputs": {name: [value] for name, value in PATIENT.items()}},
    "inputs of one record": {"inputs": PATIENT},
    "with params that are none": {"inputs": PATIENT, "params": {}},
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_answer_of_predict(api: Api, body: object) -> None:
    expected = api.predict(PATIENT).json
    answer = api.post("/invocations", body)
    assert answer.status == 200
    (row,) = answer.json["predictions"]
    assert list(row) == ["label", "label_text", "probabilities", "prediction_id", "audit"]
    assert {key: row[key] for key in ("label", "label_text", "probabilities")} == {
        key: expected[key] for key in ("label", "label_text", "probabilities")
    }


def test_mlflow_s_client_reads_what_it_asked_for(api: Api) -> None:
    patients = pd.DataFrame([PATIENT | {"age": age} for age in (40, 50, 60)])
    answer = api.post("/invocations", dump_input_data(patients))
    read = PredictionsResponse.from_json(answer.text).get_predictions()
    assert list(read["label"]) == [row["label"] for row in answer.json["predictions"]]
    assert len(read) == 3


def test_csv_with_a_header_gives_the_answer_of_predict(api: Api) -> None:
    expected = api.predict(PATIENT).json["probabilities"]
    rows = [",".join(PATIENT), ",".join(str(value) for value in PATIENT.values())]
    for text in ("\n".join(rows), "\r\n".join(rows) + "\r\n"):
        (row,) = api.post("/invocations", text, "text/csv; charset=utf-8").json["predictions"]
        assert row["probabilities"] == expected


SPELLINGS = {
    "semicolons": lambda rows: [row.replace(",", ";") for row in rows],
    "tabs": lambda rows: [row.replace(",", "\t") for row in rows],
    "decimal commas": lambda rows: [row.replace(",", ";").replace(".", ",") for row in rows],
    "a line for spreadsheets": lambda rows: ["sep=;", *(row.replace(",", ";") for row in rows)],
    "titles and rows of nothing": lambda rows: ["Ward 7", "", rows[0], ",,,", rows[1], ",,,"],
    "quotes": lambda rows: [",".join(f'"{cell}"' for cell in row.split(",")) for row in rows],
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_csv_is_read_as_a_file_is(api: Api, spelling: Callable[[list[str]], list[str]]) -> None:
    rows = [",".join(PATIENT), ",".join(str(value) for value in (PATIENT | {"oldpeak": 2.5}).values())]
    (row,) = api.post("/invocations", "\n".join(spelling(rows)), "text/csv").json["predictions"]
    assert row["probabilities"] == api.predict(PATIENT | {"oldpeak": 2.5}).json["probabilities"]


def test_a_row_that_is_none_is_named_by_index(api: Api) -> None:
    row = ",".join(str(value) for value in PATIENT.values())
    answer = api.post("/invocations", "\n".join([",".join(PATIENT), row, "", f'"6"{row}', "1,2"]), "text/csv")
    assert [(error["index"], error["reason"][:20]) for error in answer.json["errors"]] == [
        (1, "has a closing quote "), (2, "has 2 cells, and the"),
    ]  # fmt: skip


def test_an_empty_cell_of_csv_is_no_value(loans_api: Api) -> None:
    header, cells = ",".join(LOAN), [str(value) for value in LOAN.values()]
    cells[list(LOAN).index("score")] = ""
    (row,) = loans_api.post("/invocations", header + "\n" + ",".join(cells), "text/csv").json["predictions"]
    assert row["probabilities"] == loans_api.predict(LOAN | {"score": None}).json["probabilities"]


def test_columns_stand_in_any_order(api: Api) -> None:
    backwards = {"columns": list(PATIENT)[::-1], "data": [list(PATIENT.values())[::-1]]}
    (row,) = api.post("/invocations", {"dataframe_split": backwards}).json["predictions"]
    assert row["probabilities"] == api.predict(PATIENT).json["probabilities"]


WRONG: dict[str, tuple[object, str]] = {
    "nothing": ({}, "one of dataframe_split"),
    "two forms": ({"instances": [PATIENT], "inputs": [PATIENT]}, "one of dataframe_split"),
    "another key": ({"instances": [PATIENT], "signature_name": "x"}, "unknown key"),
    "params": ({"instances": [PATIENT], "params": {"a": 1}}, "expected none"),
    "a list": ([PATIENT], "one of dataframe_split"),
    "values by position": ({"instances": [list(PATIENT.values())]}, "feature names"),
    "a tensor": ({"inputs": [[1, 2], [3, 4]]}, "feature names"),
    "no records": ({"instances": []}, "got 0"),
    "too many records": ({"instances": [PATIENT] * 1001}, "got 1001"),
    "columns of several lengths": ({"inputs": {"age": [1], "sex": [1, 2]}}, "one length"),
    "split in a list": ({"dataframe_split": []}, "columns"),
    "split without columns": ({"dataframe_split": {"data": [[1]]}}, "columns"),
    "split without data": ({"dataframe_split": {"columns": ["age"]}}, "data"),
    "split with a column twice": ({"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}, "twice"),
    "split with names that are none": ({"dataframe_split": {"columns": [1], "data": [[1]]}}, "feature names"),
    "split with another key": ({"dataframe_split": SPLIT | {"dtypes": []}}, "unknown key"),
    "an unknown column": ({"instances": [PATIENT | {"ages": 1}]}, "did you mean 'age'?"),
    "an index without a name": ({"dataframe_split": {"columns": ["", "age"], "data": [[0, 1]]}}, "pandas: index=False"),
    "an index that pandas named": ({"dataframe_records": [PATIENT | {"Unnamed: 0": 1}]}, "pandas: index=False"),
}


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_body_of_another_shape_is_a_422_that_says_what_is_expected(api: Api, body: object, said: str) -> None:
    answer = api.post("/invocations", body)
    assert answer.status == 422
    assert said in answer.text


def test_a_row_of_the_wrong_length_is_named(api: Api) -> None:
    answer = api.post("/invocations", {"dataframe_split": {"columns": ["age"], "data": [[1], [1, 2], 3]}})
    assert [error["index"] for error in answer.json["errors"]] == [1, 2]


def test_a_wrong_value_is_named_by_index(api: Api) -> None:
    rows = [PATIENT, PATIENT | {"age": "x"}]
    for body in ({"dataframe_records": rows}, {"inputs": {name: [row[name] for row in rows] for name in PATIENT}}):
        (error,) = api.post("/invocations", body).json["errors"]
        assert (error["index"], error["field"], error["code"]) == (1, "age", "not-a-number")


CSV_WRONG = {
    "no record": "age,sex\n",
    "nothing but line ends": "\n\n",
    "a short line": "age,sex\n1,1\n1\n",
    "a column twice": "age, age\n1,1\n",
    "an unknown column": "age,sex,cp,agee\n63,1,1,1\n",
    "an open quote": 'age,sex,cp\n"63,1,1\n',
    "a number that is none": "age,sex,cp\nx,1,1\n",
    "a required value that is missing": "age,sex,cp\n,1,1\n",
    "a required column that is missing": "age,sex\n63,1\n",
    "too many lines": "age,sex,cp\n" + "63,1,1\n" * 1001,
}


@pytest.mark.parametrize("text", CSV_WRONG.values(), ids=CSV_WRONG.keys())
def test_csv_that_breaks_the_contract_is_a_422(api: Api, text: str) -> None:
    answer = api.post("/invocations", text, "text/csv")
    assert answer.status == 422
    assert answer.json["status"] == 422


def test_what_mlflow_writes_for_no_value_is_no_value(api: Api) -> None:
    body = dump_input_data(pd.DataFrame([PATIENT | {"chol": float("nan")}]))
    assert "NaN" in body
    (row,) = api.post("/invocations", body).json["predictions"]
    assert row["probabilities"] == api.predict(PATIENT | {"chol": None}).json["probabilities"]


def test_a_required_value_that_is_nan_is_missing(api: Api) -> None:
    (error,) = api.post("/invocations", dump_input_data(pd.DataFrame([PATIENT | {"age": float("nan")}]))).json["errors"]
    assert (error["index"], error["field"], error["code"]) == (0, "age", "missing-value")


SLIPS: dict[str, tuple[object, str]] = {
    "columns and data without their key": (SPLIT, '{"dataframe_split": {"columns"'),
    "a bare record": (PATIENT, '{"instances": [{...}]}'),
    "the body of predict": ({"features": PATIENT}, "POST predict."),
    "the body of predict/batch": ({"records": [{"features": PATIENT}]}, "POST predict/batch"),
    "two forms": ({"instances": [PATIENT], "inputs": [PATIENT]}, "Got instances and inputs"),
    "JSON in JSON": (json.dumps(json.dumps({"instances": [PATIENT]})), "encoded twice"),
    "a list of records": ([PATIENT, PATIENT], '{"dataframe_records": [...]} around it, or {"inputs": [...]}'),
    "a list of lists": ([list(PATIENT.values())], '{"dataframe_split": {"columns": [names], "data"'),
    "a list of values": (list(PATIENT.values()), "never given by position"),
    "an empty list": ([], "dataframe_split"),
    "an index that is no list": ({"dataframe_split": SPLIT | {"index": 0}}, "numbers or texts, null, or nothing"),
    "params that are no object": ({"instances": [PATIENT], "params": 0}, "Expected no params"),
}


@pytest.mark.parametrize(("body", "expected"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_is_named(api: Api, body: object, expected: str) -> None:
    answer = api.post("/invocations", body)
    assert answer.status == 422
    assert expected in answer.json["detail"] + str(answer.json.get("errors"))


ROW = ",".join(str(value) for value in PATIENT.values())
HEADERS = {
    "no header": (f"{ROW}\n{ROW}", "has no header: line 1 holds values"),
    "words alone": ("red,blue\ngreen,red", "the first line has none of them"),
    "an index without a name": (f",{','.join(PATIENT)}\n0,{ROW}", "pandas: index=False"),
    "another case": (f"{','.join(PATIENT)}\n{ROW}".replace("thal,", "Thal,"), "did you mean 'thal'?"),
    "all in capitals": (f"{','.join(PATIENT).upper()}\n{ROW}", "did you mean 'thal'?"),
    "the target": (f"{','.join(PATIENT)},disease\n{ROW},0", "is what is predicted: leave it out"),
}


@pytest.mark.parametrize(("text", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_a_slip_in_a_header_is_named_and_no_value_repeated(api: Api, text: str, expected: str) -> None:
    answer = api.post("/invocations", text, "text/csv")
    assert answer.status == 422
    assert expected in answer.text
    assert str(PATIENT["chol"]) not in answer.text


@pytest.mark.parametrize("kind", ["application/jsonlines", "application/x-npy", "text/plain"])
def test_another_content_type_is_a_415_that_says_what_is_taken(api: Api, kind: str) -> None:
    answer = api.post("/invocations", json.dumps(PATIENT), kind)
    assert answer.status == 415
    assert "application/json or text/csv" in answer.json["detail"]
