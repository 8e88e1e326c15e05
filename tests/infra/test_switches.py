"""What a deployment can be told, and what follows from it."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from infra import REPOSITORY
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


def test_what_a_failed_first_deployment_made_goes_with_it(aws):
    """Else the next one meets an MLflow app of its own name, and buckets that nobody knows."""
    kept = [item for item in aws.resources.values() if item["Type"] in DATA]
    assert {item["DeletionPolicy"] for item in kept} == {"RetainExceptOnCreate"}
    assert {item["UpdateReplacePolicy"] for item in kept} == {"Retain"}


def test_nothing_with_a_fixed_name_outlives_its_stack(aws):
    kept = [
        item for item in aws.resources.values() if item.get("DeletionPolicy") != "Delete" and "DeletionPolicy" in item
    ]
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


def test_each_switch_is_in_the_table_of_the_page():
    asked: list[str] = []
    read_options(asked.append)
    page = (REPOSITORY / "docs" / "deploy.md").read_text().partition("## Switches")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", page, re.M)) == set(asked)


def test_waits_are_what_was_asked_for(switched):
    api = switched.named("AWS::Lambda::Function", "ApiFunction")
    assert api["Environment"]["Variables"]["ANDAMIO_REFRESH_SECONDS"] == "11"


def test_shards_and_workers_are_what_was_asked_for(aws, local, switched):
    def asked(deployment):
        function = deployment.named("AWS::Lambda::Function", "ScoringFunction")
        machine = definition(deployment, "ScoringMachine")
        maps = [state for state in machine["States"].values() if state["Type"] == "Map"]
        return function["Environment"]["Variables"]["ANDAMIO_SHARD_BYTES"], {each["MaxConcurrency"] for each in maps}

    assert asked(aws) == asked(local) == (str(32 * 2**20), {2})
    assert asked(switched) == (str(2**19), {100})


def test_requests_are_throttled_as_was_asked_for(aws, local, switched):
    def asked(deployment):
        (plan,) = deployment.of_type("AWS::ApiGateway::UsagePlan").values()
        (stage,) = deployment.of_type("AWS::ApiGateway::Stage").values()
        (setting,) = stage["MethodSettings"]
        assert (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) == tuple(
            plan["Throttle"][key] for key in ("RateLimit", "BurstLimit")
        )
        return plan["Throttle"]

    assert asked(aws) == asked(local) == {"RateLimit": 200, "BurstLimit": 400}
    assert asked(switched) == {"RateLimit": 50, "BurstLimit": 60}


def test_a_burst_is_twice_the_rate_as_far_as_an_account_allows():
    assert (options(rate="30").rate, options(rate="30").burst) == (30, 60)
    assert options(rate="10000").burst == 5000
    assert options(rate="30", burst="7").burst == 7


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
        ({"monitor_minutes": "15"}, "60, 120, up to 1440. Got '15'"),
        ({"monitor_minutes": "90"}, "Got '90'"),
        ({"monitor_minutes": "hourly"}, "minutes that make whole hours"),
        ({"rate": "0"}, "from 1 to 10000: how many requests a second"),
        ({"rate": "1.5"}, "Got '1.5'"),
        ({"burst": "5001"}, "from 1 to 5000: how many requests at once"),
        ({"stage": "Prod"}, "1 to 12 of a-z and 0-9"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_was_expected(context, said):
    with pytest.raises(OptionError, match=said) as raised:
        options(**context)
    assert f"'{next(iter(context))}" in str(raised.value)


def test_where_aws_has_no_mlflow_app_another_server_is_asked_for_before_anything_is_made():
    region = {"CDK_DEFAULT_REGION": "eu-central-2", "AWS_REGION": "eu-west-1"}
    with pytest.raises(OptionError, match=r"no AWS::SageMaker::MlflowApp in eu-central-2.*tracking_uri"):
        options(region)
    assert options(region, tracking_uri="https://mlflow.test").tracking_uri == "https://mlflow.test"
    assert options({"AWS_REGION": "eu-west-1"}).tracking_uri == ""
    assert options({"AWS_REGION": "mars-north-1"}).tracking_uri == "", "nobody knows: CloudFormation will say"
    assert options({**LOCAL, "AWS_REGION": "eu-central-2"}).tracking_uri == LOCAL["MLFLOW_TRACKING_URI"]


def test_the_regions_that_have_an_mlflow_app_are_those_of_cloudformations_schemas():
    from infra.regions import MLFLOW_APP, NO_MLFLOW_APP

    # A file a region; "sam" is none, and of AWS's secret and sovereign partitions nobody outside knows.
    files = resources.files("cfnlint.data.schemas.providers").iterdir()
    types = {file.name.removesuffix(".json"): file.read_text() for file in files if file.name.endswith(".json")}
    known = {region for region in types if re.match(r"(?!us-iso|eu-iso|eusc)[a-z]{2}-", region)}
    having = {region for region in known if "AWS::SageMaker::MlflowApp" in types[region]}
    assert (having, known - having) == (MLFLOW_APP, NO_MLFLOW_APP)


def test_a_permission_is_broadened_on_aws_only_after_somebody_has_said_yes():
    """`andamio deploy` says `--require-approval` by itself; plain `cdk deploy` asks, as it does anywhere."""
    assert "requireApproval" not in json.loads((REPOSITORY / "cdk.json").read_text())


def test_a_tracking_server_is_asked_for_nothing_that_is_an_apps(synthesize):
    from infra.templates import GIVEN_SERVER

    role = json.dumps(synthesize(tracking_uri=GIVEN_SERVER).named("AWS::IAM::Role", "RegistryFunctionRole"))
    assert "sagemaker-mlflow:CreateRun" in role
    assert "CallMlflowAppApi" not in role


def test_pages_of_any_origin_may_use_the_forms_and_addresses_that_the_api_gives_out(deployment):
    """The same origins that the API's replies allow."""
    from lambdas.api.replies import reply

    assert (b"access-control-allow-origin", b"*") in reply._ALWAYS
    (rule,) = deployment.named("AWS::S3::Bucket", "Batch")["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == ["*"]
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD", "POST"}, "read a result, send a form"
    for other in ("Lake", "Models"):
        assert "CorsConfiguration" not in deployment.named("AWS::S3::Bucket", other)
