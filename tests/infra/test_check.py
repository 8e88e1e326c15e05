"""`python -m infra.check`: every template is judged, and a planted fault of each kind is found."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from infra import check
from infra.regions import MLFLOW_APP, NO_MLFLOW_APP
from infra.templates import CASES, template

Template = dict[str, Any]


def function(made: Template) -> dict[str, Any]:
    return made["Resources"][
        next(name for name in made["Resources"] if re.fullmatch(r"TrainFunction[0-9A-F]{8}", name))
    ]


def statements(made: Template) -> list[dict[str, Any]]:
    role = next(name for name in made["Resources"] if name.startswith("TrainFunctionRole"))
    found: list[dict[str, Any]] = made["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def an_action_that_aws_has_not(made: Template) -> None:
    statements(made)[0]["Action"] = ["logs:CreateLogStreams"]


def an_action_of_mlflow_that_sagemaker_has_not(made: Template) -> None:
    """MLflow's own name for it, `createLoggedModel`: SageMaker's list has none like it."""
    statements(made)[0]["Action"] = ["sagemaker-mlflow:CreateLoggedModel"]


def an_action_of_a_key_that_aws_has_not(made: Template) -> None:
    (key,) = [resource for resource in made["Resources"].values() if resource["Type"] == "AWS::KMS::Key"]
    key["Properties"]["KeyPolicy"]["Statement"][1]["Action"] = ["kms:GenerateDatakeys"]


def an_action_on_what_it_is_not_for(made: Template) -> None:
    statements(made)[0]["Action"] = ["s3:GetObject"]
    statements(made)[0]["Resource"] = "arn:aws:sqs:us-east-1:123456789012:queue"


def a_property_that_cloudformation_has_not(made: Template) -> None:
    function(made)["Properties"]["MemorySise"] = 512


def a_value_beyond_what_aws_takes(made: Template) -> None:
    function(made)["Properties"]["Timeout"] = 901


def a_runtime_that_lambda_retired(made: Template) -> None:
    function(made)["Properties"]["Runtime"] = "python3.8"


def a_reference_to_nothing(made: Template) -> None:
    function(made)["Properties"]["Role"] = {"Fn::GetAtt": ["Nobody", "Arn"]}


def an_attribute_that_a_resource_has_not(made: Template) -> None:
    role = next(name for name in made["Resources"] if name.startswith("TrainFunctionRole"))
    function(made)["Properties"]["Role"] = {"Fn::GetAtt": [role, "Name"]}


def a_deletion_policy_that_is_none(made: Template) -> None:
    function(made)["DeletionPolicy"] = "RetainExceptOnDelete"


def a_circle(made: Template) -> None:
    train = next(name for name, resource in made["Resources"].items() if resource is function(made))
    statements(made)[0]["Resource"] = {"Fn::GetAtt": [train, "Arn"]}


def a_property_that_is_missing(made: Template) -> None:
    del function(made)["Properties"]["Code"]


PLANTED: dict[Callable[[Template], None], str] = {
    an_action_that_aws_has_not: "W3037",
    an_action_of_mlflow_that_sagemaker_has_not: "W3037",
    an_action_of_a_key_that_aws_has_not: "W3037",
    an_action_on_what_it_is_not_for: "I3510",
    a_property_that_cloudformation_has_not: "E3002",
    a_value_beyond_what_aws_takes: "E3717",
    a_runtime_that_lambda_retired: "W2531",
    a_reference_to_nothing: "E1010",
    an_attribute_that_a_resource_has_not: "E1010",
    a_deletion_policy_that_is_none: "E3035",
    a_circle: "E3004",
    a_property_that_is_missing: "E3003",
}


def test_every_switch_has_a_case():
    told = {(key, value) for case in CASES.values() for key, value in case.context.items()}
    assert {key for key, _ in told} >= {"bundle", "snapstart", "existing_role_arn", "tracking_uri", "stage", "problem"}
    assert any(case.environ for case in CASES.values()), "and the local cloud is among them"


@pytest.mark.parametrize("name", ["default", "local"])
def test_a_template_is_as_cloudformation_and_iam_want_it(name):
    """Two of them; `make check` judges each."""
    assert check.check(CASES[name]) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(aws, plant):
    made = copy.deepcopy(aws.template)
    plant(made)
    found = check.findings(made, ["us-east-1"])
    assert [line for line in found if line.startswith(PLANTED[plant])], found


def test_a_region_that_lacks_a_type_is_found(aws):
    assert "eu-central-2" in NO_MLFLOW_APP
    (found,) = check.findings(aws.template, ["eu-central-2"])
    assert found.startswith("E3006")
    assert "AWS::SageMaker::MlflowApp" in found


def test_with_an_mlflow_server_of_ones_own_it_is_for_every_region(tmp_path):
    made = template(CASES["tracking URI"], tmp_path)
    assert check.findings(made, sorted(MLFLOW_APP | NO_MLFLOW_APP)) == []


def test_no_rule_is_passed_over_without_a_reason():
    assert all(len(reason) > 30 for reason in check.IGNORED.values())


def test_findings_are_told_with_the_case_and_the_way_out(monkeypatch, capsys):
    monkeypatch.setattr(check, "ProcessPoolExecutor", InThisProcess)
    assert check.main(lambda case: ["E1 at here: wrong"] if case.context.get("stage") else []) == 1
    said = capsys.readouterr().err
    assert "The template of 'stage prod':\n  E1 at here: wrong" in said
    assert "add the rule to IGNORED" in said
    assert check.main(lambda case: []) == 0
    assert f"{len(CASES)} templates" in capsys.readouterr().out


class InThisProcess:
    def __init__(self, workers):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def map(self, run, cases):
        return map(run, cases)
