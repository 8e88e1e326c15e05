"""What a deployment can be told, and what follows from it."""

from __future__ import annotations

import json

import pytest

from infra.options import OptionError, read_options
from tests.infra.conftest import LOCAL
from tests.infra.test_machines import definition

DATA = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SageMaker::MlflowApp")


def options(environ=None, **context):
    return read_options(context.get, environ or {})


def fates(deployment, *kinds) -> set[str]:
    return {item["DeletionPolicy"] for item in deployment.resources.values() if item["Type"] in kinds}


def test_data_outlive_their_stack_on_aws_and_go_with_it_locally(aws, local):
    assert fates(aws, *DATA) == {"RetainExceptOnCreate"}
    assert fates(local, *DATA) == {"Delete"}


def test_nothing_with_a_fixed_name_outlives_its_stack(aws):
    kept = [item for item in aws.resources.values() if item.get("DeletionPolicy") != "Delete" and "DeletionPolicy" in item]
    assert {item["Type"] for item in kept} == set(DATA)


def test_the_local_cloud_is_sent_nothing_that_it_does_not_know(local):
    kinds = {item["Type"] for item in local.resources.values()}
    assert not [kind for kind in kinds if kind.startswith(("AWS::SageMaker::", "AWS::KinesisFirehose::"))]


def test_on_aws_mlflow_is_an_app_of_the_stack_and_its_arn_the_tracking_uri(aws):
    ((name, app),) = aws.of_type("AWS::SageMaker::MlflowApp").items()
    registry = aws.named("AWS::Lambda::Function", "RegistryFunction")
    assert registry["Environment"]["Variables"]["ANDAMIO_TRACKING_URI"] == {"Fn::GetAtt": [name, "Arn"]}
    assert aws.template["Outputs"]["MlflowUri"]["Value"] == {"Fn::GetAtt": [name, "Arn"]}
    assert json.dumps(app["ArtifactStoreUri"]).endswith('"/mlflow"]]}')


def test_a_given_mlflow_is_used_and_none_is_made(switched):
    assert not switched.of_type("AWS::SageMaker::MlflowApp")
    assert switched.template["Outputs"]["MlflowUri"]["Value"] == "https://mlflow.test"
    assert "sagemaker" not in json.dumps(switched.named("AWS::IAM::Role", "RegistryFunctionRole"))


def test_the_local_clouds_mlflow_is_found(local, tmp_path):
    assert local.template["Outputs"]["MlflowUri"]["Value"] == LOCAL["MLFLOW_TRACKING_URI"]
    (tmp_path / "cloud.json").write_text('{"mlflow_url": "http://127.0.0.1:5999"}')
    recorded = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "ANDAMIO_HOME": str(tmp_path)}
    assert options(recorded).tracking_uri == "http://127.0.0.1:5999"
    assert options({**recorded, **LOCAL}).tracking_uri == LOCAL["MLFLOW_TRACKING_URI"]
    assert options({**recorded, **LOCAL}, tracking_uri="http://given").tracking_uri == "http://given"


def test_an_mlflow_meant_for_the_local_cloud_never_reaches_aws():
    assert options({"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}).tracking_uri == ""


def test_the_local_cloud_without_mlflow_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(OptionError, match="tracking_uri"):
        options({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "ANDAMIO_HOME": str(tmp_path)})


def test_snapstart_publishes_a_version_that_the_api_calls_by_an_alias(switched, aws):
    function = switched.named("AWS::Lambda::Function", "ApiFunction")
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    ((alias, _),) = switched.of_type("AWS::Lambda::Alias").items()
    assert len(switched.of_type("AWS::Lambda::Version")) == 1
    for method in switched.of_type("AWS::ApiGateway::Method").values():
        assert {"Ref": alias} in method["Integration"]["Uri"]["Fn::Join"][1]
    assert not aws.of_type("AWS::Lambda::Version")
    assert "SnapStart" not in aws.named("AWS::Lambda::Function", "ApiFunction")


def test_functions_are_built_for_where_they_run(switched, aws):
    def processors(deployment):
        return {tuple(function["Architectures"]) for function in deployment.of_type("AWS::Lambda::Function").values()}

    assert processors(aws) == {("x86_64",)}
    assert processors(switched) == {("arm64",)}


def test_waits_are_what_was_asked_for(switched):
    api = switched.named("AWS::Lambda::Function", "ApiFunction")
    assert api["Environment"]["Variables"]["ANDAMIO_REFRESH_SECONDS"] == "11"


def test_shards_and_workers_are_what_was_asked_for(aws, local, switched):
    def asked(deployment):
        function = deployment.named("AWS::Lambda::Function", "ScoringFunction")
        machine = definition(deployment, "ScoringMachine")
        maps = [state for state in machine["States"].values() if state["Type"] == "Map"]
        return function["Environment"]["Variables"]["ANDAMIO_SHARD_BYTES"], {each["MaxConcurrency"] for each in maps}

    assert asked(aws) == (str(32 * 2**20), {3})
    assert asked(local) == (str(32 * 2**20), {2})
    assert asked(switched) == (str(2**19), {100})


def test_defaults():
    aws, local = options(), options(LOCAL)
    assert (aws.local, aws.bundle, aws.quiet_seconds, aws.refresh_seconds) == (False, "x86_64", 30, 60)
    assert (local.local, local.bundle, local.quiet_seconds) == (True, "host", 2)
    assert aws.problem.parts[-2:] == ("problems", "heart")
    assert aws.problem.is_absolute()
    assert not aws.snapstart


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"bundle": "riscv"}, "one of host, x86_64, arm64"),
        ({"bundle": "host"}, "local cloud"),
        ({"snapstart": "maybe"}, "true or false"),
        ({"quiet_seconds": "0"}, "from 1 to"),
        ({"refresh_seconds": "soon"}, "whole seconds"),
        ({"existing_role_arn": "LabRole"}, "ARN of an IAM role"),
        ({"shard_mib": "0"}, "number of MiB from 0.001 to 128"),
        ({"shard_mib": "-1"}, "Got '-1'"),
        ({"shard_mib": "nan"}, "Got 'nan'"),
        ({"shard_mib": "32 MB"}, "0.5 is half of one"),
        ({"shard_mib": "129"}, "to 128"),
        ({"workers": "0"}, "whole number from 1 to 10000"),
        ({"workers": "10001"}, "how many calls score at once"),
        ({"workers": "many"}, "Got 'many'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_was_expected(context, said):
    with pytest.raises(OptionError, match=said) as raised:
        options(**context)
    assert f"'{next(iter(context))}" in str(raised.value)
