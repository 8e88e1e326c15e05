"""Which roles there are, and what none of them may do; test_sufficient.py says what each of them needs."""

from __future__ import annotations

import re

from infra import REPOSITORY
from infra.proof.grants import grants

LOG_DELIVERY = {
    f"logs:{action}"
    for action in (
        "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
        "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
    )
}  # fmt: skip

ROLES = {
    *(f"{part}FunctionRole" for part in ("Api", "Etl", "Train", "Search", "Registry", "Scoring", "Capture", "Watch")),
    *(f"{part}MachineRole" for part in ("Etl", "Train", "Scoring", "Watch")),
    "RawFilesRole",
    "ScoringArrivalsRole",
    "WatchScheduleRole",
    "RolloutMachineRole",
    "RolloutAlarmsRole",
    "TrackingRole",
    "AccessLogRole",
    "TasksRole",
    "TasksStartRole",
}


def test_there_is_no_other_role_and_no_policy_beside_them(aws):
    assert {name[:-8] for name in aws.of_type("AWS::IAM::Role")} == ROLES
    assert not aws.of_type("AWS::IAM::Policy")
    assert not aws.of_type("AWS::IAM::ManagedPolicy")
    assert not [role for role in aws.of_type("AWS::IAM::Role").values() if role.get("ManagedPolicyArns")]


def test_policies_only_allow_and_name_what_they_allow(aws):
    for role in aws.of_type("AWS::IAM::Role").values():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                bounded = statement["Action"] in ("events:PutEvents", "cloudwatch:PutMetricData")
                condition = {"Condition"} if bounded else set()
                assert set(statement) == {"Effect", "Action", "Resource"} | condition
                assert statement["Effect"] == "Allow"


def test_events_are_sent_as_this_system_and_of_the_types_that_a_role_has_to_tell(prod):
    told = {}
    for name, role in prod.of_type("AWS::IAM::Role").items():
        for statement in (found for policy in role["Policies"] for found in policy["PolicyDocument"]["Statement"]):
            if statement["Action"] == "events:PutEvents":
                (asked,) = statement["Condition"].values()
                assert asked["events:source"] == "andamio.heart--prod"
                told[name[:-8]] = asked["events:detail-type"]
    assert told["RegistryFunctionRole"] == [
        "Model promoted",
        "Model rejected",
        "Approval needed",
        "Model challenged",
        "Model withdrawn",
    ]
    assert told["WatchFunctionRole"] == ["Drift seen", "Performance worse", "Retraining started"]


def test_no_action_is_a_wildcard_and_one_list_of_actions_has_no_resource(aws):
    everything = grants(aws.template)
    assert not [grant for grant in everything if "*" in grant.action]
    assert {grant.action for grant in everything if grant.resource == "*"} == LOG_DELIVERY | {
        "cloudwatch:PutMetricData"  # under a condition on its namespace
    }


def test_every_role_is_taken_by_one_service(aws):
    for role in aws.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert isinstance(statement["Principal"]["Service"], str)


def test_the_api_gateway_may_call_the_api_function_and_no_other(aws):
    (permission,) = [
        found
        for found in aws.of_type("AWS::Lambda::Permission").values()
        if found["Principal"] == "apigateway.amazonaws.com"
    ]
    assert permission["FunctionName"]["Fn::GetAtt"][0].startswith("ApiFunction")
    assert ":execute-api:" in str(permission["SourceArn"])


def test_with_a_given_role_there_is_no_iam_and_everything_runs_as_it(given_role):
    role = "arn:aws:iam::123456789012:role/LabRole"
    assert not [item["Type"] for item in given_role.resources.values() if item["Type"].startswith("AWS::IAM::")]
    assert {item["Role"] for item in given_role.of_type("AWS::Lambda::Function").values()} == {role}
    assert {item["RoleArn"] for item in given_role.of_type("AWS::StepFunctions::StateMachine").values()} == {role}
    for rule in ("RawFiles", "Scoring"):
        assert given_role.named("AWS::Events::Rule", rule)["Targets"][0]["RoleArn"] == role


def test_what_a_given_role_must_allow_is_listed(aws):
    """All that the roles may do which it stands for: without tasks, which do not run then, and without Firehose."""
    needed = {
        grant.action
        for grant in grants(aws.template)
        if grant.who in ROLES - {"TasksRole", "TasksStartRole", "AccessLogRole"}
        and not grant.action.startswith(("ecs:", "iam:"))
        and not re.search("StepFunctionsGetEventsForECS|TasksLogs", grant.resource)
    }
    page = (REPOSITORY / "docs" / "deploy.md").read_text()
    section = page.partition("### What a given role must allow")[2].partition("\n## ")[0]
    listed = set()
    for cell in re.findall(r"^\| [^|]+ \| (`[a-z0-9-]+:.+?) \|", section, re.M):
        service = ""
        for action in re.findall(r"`(.+?)`", cell):
            service, _, name = action.rpartition(":") if ":" in action else (service, "", action)
            listed.add(f"{service}:{name}")
    assert {re.sub("^sagemaker-mlflow:.*", "sagemaker-mlflow:*", action) for action in needed} == listed


def test_with_a_given_role_no_bootstrap_is_asked_for(given_role):
    assert "Parameters" not in given_role.template
    assert "Rules" not in given_role.template
