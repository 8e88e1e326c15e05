"""Who may take a role, and on behalf of what: a service that says where it calls from is asked for it."""

from __future__ import annotations

import pytest

ACCOUNT = {"aws:SourceAccount": "<AccountId>"}
RULE = "arn:<Partition>:events:<Region>:<AccountId>:rule/andamio-heart-"
MACHINE = "arn:<Partition>:states:<Region>:<AccountId>:stateMachine:andamio-heart-"


def machine(part: str):
    """The machine, and the runs of its Distributed Maps, which Step Functions names below it."""
    arns = [f"{MACHINE}{part}", f"{MACHINE}{part}/*"]
    return "states.amazonaws.com", {"StringEquals": ACCOUNT, "ArnLike": {"aws:SourceArn": arns}}


def rule(part: str):
    return "events.amazonaws.com", {"StringEquals": ACCOUNT, "ArnEquals": {"aws:SourceArn": f"{RULE}{part}"}}


TASKS = "arn:<Partition>:ecs:<Region>:<AccountId>:*"
TASK = "ecs-tasks.amazonaws.com", {"StringEquals": ACCOUNT, "ArnLike": {"aws:SourceArn": TASKS}}
FUNCTION = ("lambda.amazonaws.com", None)

EXPECTED = {
    **{
        f"{part}FunctionRole": FUNCTION
        for part in ("Api", "Etl", "Train", "Search", "Registry", "Scoring", "Capture", "Watch")
    },
    "EtlMachineRole": machine("etl"),
    "TrainMachineRole": machine("train"),
    "ScoringMachineRole": machine("batch"),
    "WatchMachineRole": machine("monitor"),
    "RolloutMachineRole": machine("rollout"),
    "RolloutAlarmsRole": rule("challenger-alarms"),
    "WatchScheduleRole": rule("monitor-schedule"),
    "RawFilesRole": rule("etl-arrivals"),
    "ScoringArrivalsRole": rule("batch-arrivals"),
    "TasksRole": TASK,
    "TasksStartRole": TASK,
    "AccessLogRole": ("firehose.amazonaws.com", {"StringEquals": {"sts:ExternalId": "<AccountId>"}}),
    "TrackingRole": ("sagemaker.amazonaws.com", None),
}


@pytest.mark.parametrize("role", EXPECTED)
def test_a_role_is_taken_by_one_service_on_behalf_of_this(aws, role):
    (statement,) = aws.named("AWS::IAM::Role", role)["AssumeRolePolicyDocument"]["Statement"]
    conditions = statement.get("Condition")
    if conditions is not None:
        conditions = {
            operator: {key: [readable(value) for value in as_list(values)] for key, values in asked.items()}
            for operator, asked in conditions.items()
        }
    service, expected = EXPECTED[role]
    if expected is not None:
        expected = {
            operator: {key: as_list(value) for key, value in asked.items()} for operator, asked in expected.items()
        }
    assert (statement["Principal"]["Service"], conditions) == (service, expected)


def test_no_role_is_left_out(aws):
    assert {name[:-8] for name in aws.of_type("AWS::IAM::Role")} == set(EXPECTED)


def test_what_a_trust_names_is_what_the_stack_makes(aws):
    """By name, because neither can refer to the other: a name that is off would refuse every execution."""
    machines = {item["StateMachineName"] for item in aws.of_type("AWS::StepFunctions::StateMachine").values()}
    rules = {item["Name"] for item in aws.of_type("AWS::Events::Rule").values()}
    for role in aws.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        for asked in (statement.get("Condition") or {}).values():
            for arn in map(readable, as_list(asked.get("aws:SourceArn", []))):
                if arn == TASKS:
                    continue  # ECS sends a task's ARN, which it makes up
                assert arn.removesuffix("/*").replace("/", ":").rsplit(":", 1)[1] in machines | rules


def test_events_are_published_by_rules_of_the_account_and_messages_of_alerts_without_a_condition(aws):
    """EventBridge names no source when it publishes: a condition would refuse every alert, without a word."""
    policy = aws.named("AWS::SNS::TopicPolicy", "Alerts")["PolicyDocument"]["Statement"]
    publishing = [statement for statement in policy if statement["Effect"] == "Allow"]
    conditions = {(statement["Principal"]["Service"], "Condition" in statement) for statement in publishing}
    assert conditions == {("events.amazonaws.com", False), ("cloudwatch.amazonaws.com", True)}
    for queue in aws.of_type("AWS::SQS::QueuePolicy").values():
        for statement in queue["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert set(statement["Condition"]) == {"ArnEquals"}


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
