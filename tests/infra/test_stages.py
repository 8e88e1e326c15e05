"""Several deployments of one problem live in one account, and each says which it is."""

from __future__ import annotations

import json

import pytest

import andamio
from andamio.contract import Contract
from andamio.errors import ContractError
from andamio.storage import layout
from infra.options import OptionError, read_options, system_name
from infra.problem import read_problem
from infra.templates import LOCAL
from tests.infra.test_problem import REST

# What has a name of its own, and where it stands.
NAMED = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Events::Rule": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::ApiGateway::ApiKey": "Name",
    "AWS::ApiGateway::UsagePlan": "UsagePlanName",
    "AWS::SageMaker::MlflowApp": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::ECS::Cluster": "ClusterName",
}


def named(deployment) -> set[str]:
    return {
        f"{kind} {properties[key]}" for kind, key in NAMED.items() for properties in deployment.of_type(kind).values()
    }


def tags(properties) -> dict[str, str]:
    found = properties.get("Tags", {})
    return found if isinstance(found, dict) else {tag["Key"]: tag["Value"] for tag in found}


def test_two_stages_share_no_name(aws, prod):
    assert len(named(aws)) == len(named(prod)) > 20
    assert not named(aws) & named(prod)
    assert {name.replace("andamio-heart--prod", "andamio-heart") for name in named(prod)} == named(aws)


def test_nothing_else_has_a_name_that_two_stages_could_fight_over(aws, prod):
    for deployment in (aws, prod):
        for kind in {resource["Type"] for resource in deployment.resources.values()} - set(NAMED):
            for properties in deployment.of_type(kind).values():
                fixed = [key for key, value in properties.items() if key.endswith("Name") and isinstance(value, str)]
                # A stage is the API's own, and a filter its log group's.
                assert fixed in ([], ["StageName"], ["FilterName"]), (kind, fixed)


def test_the_first_stage_keeps_the_names_of_a_deployment_without_one(aws, synthesize):
    assert named(synthesize(stage="dev")) == named(aws)
    assert "AWS::Lambda::Function andamio-heart-api" in named(aws)


def test_roles_and_rules_of_a_stage_name_nothing_of_the_other(aws, prod):
    assert "heart--prod" not in json.dumps(aws.template)
    text = json.dumps(prod.template).replace("andamio-heart--prod", "")
    assert "andamio-heart" not in text


def test_data_and_pointer_go_by_the_problem_and_mlflow_by_the_system(prod):
    registry = prod.named("AWS::Lambda::Function", "Registry")["Environment"]["Variables"]
    assert (registry["ANDAMIO_PROBLEM"], registry["ANDAMIO_SYSTEM"]) == ("heart", "heart--prod")
    assert layout.pointer("heart") in json.dumps(prod.named("AWS::IAM::Role", "ApiFunctionRole"))


@pytest.mark.parametrize(("asked", "stage"), [("aws", "dev"), ("prod", "prod"), ("local", "local")])
def test_outputs_and_tags_say_which_problem_stage_and_version(request, asked, stage):
    deployment = request.getfixturevalue(asked)
    outputs = deployment.template["Outputs"]
    assert (outputs["Problem"]["Value"], outputs["Stage"]["Value"]) == ("heart", stage)
    ours = {"andamio:problem": "heart", "andamio:stage": stage, "andamio:version": andamio.__version__}
    for kind in ("AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::DynamoDB::Table"):
        for properties in deployment.of_type(kind).values():
            assert tags(properties).items() >= ours.items()


def test_whatever_can_be_tagged_is(aws):
    """Costs are told apart by these tags; CloudFormation's schemas say what takes any."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    taggable = set()
    for name, resource in aws.resources.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        tagging = schema.get("tagging", {})
        key = tagging.get("tagProperty", "/properties/Tags").rsplit("/", 1)[1]
        if tagging.get("taggable", key in schema["properties"]) and key in schema["properties"]:
            found = resource["Properties"].get(key)
            taggable.add(resource["Type"])
            assert "andamio:stage" in json.dumps(found), (name, resource["Type"])
    assert taggable >= {kind for kind in NAMED if kind != "AWS::Lambda::LayerVersion"}


def test_a_stage_is_dev_on_aws_and_none_on_the_local_cloud():
    assert read_options({}.get, {}).stage == "dev"
    assert read_options({}.get, LOCAL).stage == ""
    assert read_options({"stage": "prod"}.get, LOCAL).stage == "prod"


@pytest.mark.parametrize("stage", ["Prod", "2nd", "pre-prod", "a" * 13, "pro d"])
def test_what_is_no_stage_is_refused(stage):
    with pytest.raises(OptionError, match=r"'stage' must be 1 to 12 of a-z and 0-9"):
        read_options({"stage": stage}.get, {})


def test_problem_and_stage_together_fit_aws_or_the_error_says_how_long_they_are():
    assert system_name("a" * 25, "prod") == "a" * 25 + "--prod"
    assert system_name("a" * 31, "dev") == "a" * 31
    with pytest.raises(OptionError, match=r"may have 31 characters.*It has 32"):
        system_name("a" * 26, "prod")


def test_the_longest_names_are_within_what_aws_takes(synthesize, tmp_path):
    (tmp_path / "problem.toml").write_text(f'[problem]\nname = "{"a" * 25}"\n{REST}')
    deployment = synthesize(stage="prod", problem=str(tmp_path))
    limits = {"AWS::Lambda::Function": 64, "AWS::Events::Rule": 64, "AWS::KinesisFirehose::DeliveryStream": 64,
              "AWS::SQS::Queue": 80, "AWS::StepFunctions::StateMachine": 80}  # fmt: skip
    for kind, limit in limits.items():
        for properties in deployment.of_type(kind).values():
            assert len(properties[NAMED[kind]]) <= limit
    assert len(deployment.named("AWS::KinesisFirehose::DeliveryStream", "AccessLog")["DeliveryStreamName"]) == 64


def test_a_problem_with_two_hyphens_is_refused_where_it_is_deployed_and_where_it_is_read(tmp_path):
    toml = (
        '[problem]\nname = "heart--prod"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n[features.x]\ntype = "number"\n'
    )
    (tmp_path / "problem.toml").write_text(toml)
    with pytest.raises(ContractError, match="stands before a stage"):
        read_problem(tmp_path)
    with pytest.raises(ContractError, match="stands before a stage"):
        Contract.from_toml(toml)
