"""Who may do what. Emulators enforce none of it, so nothing but these tests sees a wrong line before AWS does."""

from __future__ import annotations

import pytest

from infra.constructs.tracker import ACTIONS


def may(role) -> set[str]:
    """`action resource` for everything that a role allows, as one reads it."""
    allowed = set()
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            for action in as_list(statement["Action"]):
                allowed |= {f"{action} {readable(resource)}" for resource in as_list(statement["Resource"])}
    return allowed


def as_list(value):
    return value if isinstance(value, list) else [value]


def readable(resource) -> str:
    """`Lake/raw/*` instead of an Fn::Join of an Fn::GetAtt; logical ids without their hash, AWS's own in <>."""
    if isinstance(resource, str):
        return resource
    if "Fn::Join" in resource:
        return "".join(readable(part) for part in resource["Fn::Join"][1])
    name = resource.get("Ref") or resource["Fn::GetAtt"][0]
    return f"<{name.removeprefix('AWS::')}>" if name.startswith("AWS::") else name[:-8]


def own(part: str) -> set[str]:
    """What every function may do: write its own log."""
    return {
        f"logs:CreateLogStream {part}FunctionLogs",
        f"logs:PutLogEvents {part}FunctionLogs",
    }


LOG_DELIVERY = {
    f"logs:{action} *"
    for action in (
        "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
        "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
    )
}  # fmt: skip

STATES = "arn:<Partition>:states:<Region>:<AccountId>"

EXPECTED = {
    "ApiFunctionRole": own("Api")
    | {
        "s3:ListBucket Models",
        "s3:GetObject Models/releases/*",
        "s3:GetObject Models/serving/heart.json",
        "s3:ListBucket Batch",
        "s3:ListBucketVersions Batch",
        "s3:PutObject Batch/incoming/*",
        "s3:PutObject Batch/batches/*/request.json",
        *(f"s3:GetObject Batch/{prefix}/*" for prefix in ("scored", "rejected", "batches")),
        "dynamodb:GetItem Predictions",
        "dynamodb:Query Predictions/index/by_record",
    },
    "EtlFunctionRole": own("Etl")
    | {
        "s3:ListBucket Lake",
        "s3:ListBucketVersions Lake",
        "s3:GetObject Lake/raw/*",
        "s3:GetObjectVersion Lake/raw/*",
        *(f"s3:{verb}Object Lake/{prefix}/*" for verb in ("Get", "Put") for prefix in ("staging", "quarantine")),
        *(f"s3:{verb}Object Lake/datasets/*" for verb in ("Get", "Put")),
    },
    "TrainFunctionRole": own("Train")
    | {
        "s3:ListBucket Lake",
        "s3:ListBucket Models",
        "s3:ListBucketVersions Models",
        "s3:GetObject Lake/datasets/*",
        "s3:GetObject Models/runs/*",
        "s3:PutObject Models/runs/*",
        "s3:GetObject Models/releases/*",
        "s3:GetObject Models/serving/heart.json",
    },
    "SearchFunctionRole": own("Search")
    | {"s3:ListBucket Models", "s3:GetObject Models/runs/*", "s3:PutObject Models/runs/*"},
    "RegistryFunctionRole": own("Registry")
    | {
        "s3:ListBucket Lake",
        "s3:ListBucket Models",
        "s3:GetObject Lake/datasets/*",
        *(f"s3:{verb}Object Models/{keys}" for verb in ("Get", "Put") for keys in ("runs/*", "releases/*", "mlflow/*")),
        "s3:GetObject Models/serving/heart.json",
        "s3:PutObject Models/serving/heart.json",
        "s3:AbortMultipartUpload Models/mlflow/*",
        "sagemaker:CallMlflowAppApi TrackingApp",
        *(f"sagemaker-mlflow:{action} TrackingApp" for action in ACTIONS),
    },
    "ScoringFunctionRole": own("Scoring")
    | {
        "s3:ListBucket Models",
        "s3:GetObject Models/releases/*",
        "s3:GetObject Models/serving/heart.json",
        "s3:ListBucket Batch",
        "s3:ListBucketVersions Batch",
        *(f"s3:GetObject Batch/{keys}/*" for keys in ("incoming", "batches", "scored")),
        *(f"s3:GetObjectVersion Batch/{keys}/*" for keys in ("incoming", "batches", "scored")),
        *(f"s3:PutObject Batch/{keys}/*" for keys in ("batches", "scored", "rejected")),
        *(f"s3:AbortMultipartUpload Batch/{keys}/*" for keys in ("batches", "scored", "rejected")),
        "dynamodb:BatchWriteItem Predictions",
    },
    "EtlMachineRole": LOG_DELIVERY
    | {"lambda:InvokeFunction EtlFunction", "states:StartExecution TrainMachine"},
    "TrainMachineRole": LOG_DELIVERY
    | {f"lambda:InvokeFunction {part}Function" for part in ("Train", "Search", "Registry")},
    # The children of a Distributed Map are executions of the machine itself, and it reads their list by itself.
    "ScoringMachineRole": LOG_DELIVERY
    | {
        "lambda:InvokeFunction ScoringFunction",
        f"states:StartExecution {STATES}:stateMachine:andamio-heart-batch",
        *(
            f"states:{action}Execution {STATES}:execution:andamio-heart-batch{children}"
            for action in ("Describe", "Stop", "Redrive")
            for children in (":*", "/*")
        ),
        "s3:GetObject Batch/batches/*/todo/*",
        "sns:Publish ScoringTopic",
    },
    "RawFilesRole": {"states:StartExecution EtlMachine"},
    "ScoringArrivalsRole": {"states:StartExecution ScoringMachine"},
    "TrackingRole": {
        *(f"s3:{action} Models/mlflow/*" for action in ("GetObject", "PutObject")),
        *(f"s3:{action} Models/mlflow/*" for action in ("AbortMultipartUpload", "ListMultipartUploadParts")),
        "s3:GetBucketLocation Models",
        "s3:ListBucket Models",
    },
    "AccessLogRole": {
        "s3:PutObject Lake/access/*",
        "s3:AbortMultipartUpload Lake/access/*",
        "s3:GetBucketLocation Lake",
        "s3:ListBucket Lake",
        "s3:ListBucketMultipartUploads Lake",
    },
}  # fmt: skip


@pytest.mark.parametrize("role", EXPECTED)
def test_a_role_may_do_exactly_this(aws, role):
    assert may(aws.named("AWS::IAM::Role", role)) == EXPECTED[role]


def test_there_is_no_other_role_and_no_policy_beside_them(aws):
    assert {name[:-8] for name in aws.of_type("AWS::IAM::Role")} == set(EXPECTED)
    assert not aws.of_type("AWS::IAM::Policy")
    assert not aws.of_type("AWS::IAM::ManagedPolicy")
    assert not [role for role in aws.of_type("AWS::IAM::Role").values() if role.get("ManagedPolicyArns")]


def test_no_action_is_a_wildcard_and_one_list_of_actions_has_no_resource(aws):
    everything = {line for role in aws.of_type("AWS::IAM::Role").values() for line in may(role)}
    assert not [line for line in everything if "*" in line.split()[0]]
    assert {line for line in everything if line.endswith(" *")} == LOG_DELIVERY


def test_every_role_is_taken_by_one_service(aws):
    for role in aws.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert isinstance(statement["Principal"]["Service"], str)


def test_the_api_gateway_may_call_the_api_function_and_no_other(aws):
    (permission,) = aws.of_type("AWS::Lambda::Permission").values()
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["FunctionName"]["Fn::GetAtt"][0].startswith("ApiFunction")
    assert ":execute-api:" in str(permission["SourceArn"])


def test_with_a_given_role_there_is_no_iam_and_everything_runs_as_it(given_role):
    role = "arn:aws:iam::123456789012:role/LabRole"
    assert not [item["Type"] for item in given_role.resources.values() if item["Type"].startswith("AWS::IAM::")]
    assert {item["Role"] for item in given_role.of_type("AWS::Lambda::Function").values()} == {role}
    assert {item["RoleArn"] for item in given_role.of_type("AWS::StepFunctions::StateMachine").values()} == {role}
    for rule in ("RawFiles", "Scoring"):
        assert given_role.named("AWS::Events::Rule", rule)["Targets"][0]["RoleArn"] == role


def test_with_a_given_role_no_bootstrap_is_asked_for(given_role):
    assert "Parameters" not in given_role.template
    assert "Rules" not in given_role.template
