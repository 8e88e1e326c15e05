"""State machines as they are deployed, and the rules that every file of them keeps."""

from __future__ import annotations

import json
import re

import pytest

from andamio.contract.tables import Training
from andamio.errors import EventNotSent
from infra import REPOSITORY, asl
from infra.asl.retries import longest_wait
from infra.asl.validator import validate

MACHINES = {
    "etl": "EtlMachine",
    "train": "TrainMachine",
    "batch": "ScoringMachine",
    "monitor": "WatchMachine",
    "rollout": "RolloutMachine",
}
NEW_ACCOUNT = 10
WAITS_ITS_TURN = "rollout"  # a look takes seconds and comes again: throttled, it is late
ROOM_FOR_THE_API = 2
CAPTURES = 1  # CloudWatch Logs hands over the lines of each environment of the API by itself
FILES = sorted(asl.FOLDER.glob("*.asl.json"))


def definition(deployment, prefix) -> dict:
    """What a machine runs, with `<LogicalId>` where CloudFormation will put an ARN."""
    value = deployment.named("AWS::StepFunctions::StateMachine", prefix)["DefinitionString"]
    parts = value["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else f"<{reference(part)}>" for part in parts))


def reference(part) -> str:
    return part.get("Ref") or part["Fn::GetAtt"][0]


def find_state(machine, kind) -> dict:
    (found,) = [state for state in machine["States"].values() if state["Type"] == kind]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_keeps_every_rule(path):
    assert asl.lint(path) == []


def test_every_machine_has_a_file_and_every_file_a_machine():
    assert {path.name.removesuffix(".asl.json") for path in FILES} == set(asl.PLACEHOLDERS) == set(MACHINES)


@pytest.mark.parametrize("part", MACHINES)
def test_what_is_deployed_is_the_file_with_its_placeholders_filled_in(deployment, part):
    deployed = definition(deployment, MACHINES[part])
    assert "${" not in json.dumps(deployed)
    source = asl.load(asl.FOLDER / f"{part}.asl.json")
    if not deployment.of_type("AWS::ECS::TaskDefinition"):
        source = asl.without(source, "ecs:runTask")
    assert list(deployed["States"]) == list(source["States"])


@pytest.mark.parametrize("part", MACHINES)
def test_a_machine_calls_only_what_its_role_may_call(aws, part):
    called = {task["Resource"] for _, task in asl.tasks(definition(aws, MACHINES[part])) if task["Resource"][0] == "<"}
    (policy,) = aws.named("AWS::IAM::Role", f"{MACHINES[part]}Role")["Policies"]
    invoke = next(
        statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    )
    allowed = invoke if isinstance(invoke, list) else [invoke]
    assert called == {f"<{reference(resource)}>" for resource in allowed}


@pytest.mark.parametrize("part", MACHINES)
def test_a_task_waits_longer_than_its_function_may_run_so_that_the_functions_own_error_arrives(deployment, part):
    allowed = {
        f"<{name}>": function["Timeout"] for name, function in deployment.of_type("AWS::Lambda::Function").items()
    }
    calls = [task for _, task in asl.tasks(definition(deployment, MACHINES[part])) if task["Resource"] in allowed]
    assert calls
    assert {task["TimeoutSeconds"] - allowed[task["Resource"]] for task in calls} == {60}


def test_etl_as_a_whole_may_take_what_its_steps_may_take_and_wait_for(deployment):
    machine = definition(deployment, "EtlMachine")
    quiet = int(re.findall(r"States.StringToJson\('(\d+)'\)", json.dumps(machine))[0])
    steps = sum(
        task["TimeoutSeconds"] + sum(longest_wait(retry) for retry in task["Retry"]) for _, task in asl.tasks(machine)
    )
    assert quiet + steps <= machine["TimeoutSeconds"] <= quiet + 1.1 * steps


def test_all_machines_at_once_and_capture_leave_room_for_the_api_in_a_new_account(aws):
    """A new account runs ten functions at once; a machine outside of its maps runs one at a time."""
    maps = {
        part: [
            state["MaxConcurrency"] for state in definition(aws, prefix)["States"].values() if state["Type"] == "Map"
        ]
        for part, prefix in MACHINES.items()
        if part != WAITS_ITS_TURN
    }
    widest = {part: max([1, *at_once]) for part, at_once in maps.items()}
    assert sum(widest.values()) + CAPTURES + ROOM_FOR_THE_API <= NEW_ACCOUNT
    assert all(min(at_once) > 1 for at_once in maps.values() if at_once), "each map does several things at once"
    page = (REPOSITORY / "docs" / "deploy.md").read_text().partition("## In a new account")[2]
    rows = re.findall(r"^\| [^|]+ \| (\d+)", page.partition("Work beyond")[0], re.M)
    assert [int(row) for row in rows] == [
        *(widest[part] for part in ("batch", "train", "etl", "monitor")),
        CAPTURES,
        ROOM_FOR_THE_API,
    ]


def test_numbers_arrive_as_numbers(aws):
    assert find_state(definition(aws, "TrainMachine"), "Map")["MaxConcurrency"] == Training().parallel


@pytest.mark.parametrize("part", MACHINES)
def test_a_throttled_call_is_waited_for_wherever_a_function_is_called(deployment, part):
    for where, task in asl.tasks(definition(deployment, MACHINES[part])):
        if "Function" in task["Resource"]:
            first = task["Retry"][0]
            assert first["ErrorEquals"] == ["Lambda.TooManyRequestsException"], where
            assert longest_wait(first) / 2 >= 900, f"{where}: by then the longest call has ended"


SEND_EVENTS = [
    *(("train", step) for step in ("register", "ask_approval", "decline", "promote")),
    ("monitor", "tell"),
    *(("rollout", step) for step in ("look", "withdraw", "abandon")),
]


@pytest.mark.parametrize(("part", "step"), SEND_EVENTS)
def test_an_event_that_was_not_sent_is_sent_again_before_its_execution_fails(deployment, part, step):
    machine = definition(deployment, MACHINES[part])
    called = [(task.get("Parameters", {}), task) for _, task in asl.tasks(machine)]
    sending = [(given.get("Payload", given), task) for given, task in called]
    told = [task for given, task in sending if given.get("step") == step and (part != "train" or "decision.$" in given)]
    assert told, "a run without a model sends no event"
    for task in told:
        (retry,) = [retry for retry in task["Retry"] if EventNotSent.__name__ in retry["ErrorEquals"]]
        assert longest_wait(retry) / 2 >= 120, "an outage of minutes"


@pytest.mark.parametrize("step", ["look", "abandon"])
def test_a_trial_is_not_given_up_within_ten_minutes(deployment, step):
    tasks = [task for _, task in asl.tasks(definition(deployment, MACHINES["rollout"]))]
    (task,) = [task for task in tasks if task["Parameters"]["step"] == step]
    last = task["Retry"][-1]
    assert last["ErrorEquals"] == ["States.ALL"]
    assert last["JitterStrategy"] == "NONE", "full jitter draws each wait from 0 on"
    assert longest_wait(last) >= 600


@pytest.mark.parametrize("step", ["publish", "tell"])
def test_what_the_watch_found_is_not_lost_with_one_call(deployment, step):
    (task,) = [
        task for _, task in asl.tasks(definition(deployment, "WatchMachine")) if task["Parameters"].get("step") == step
    ]
    assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
    assert task["Retry"][-1]["MaxAttempts"] > 0


@pytest.mark.parametrize("part", MACHINES)
def test_services_are_called_in_the_partition_that_the_stack_is_in(deployment, part):
    text = json.dumps(definition(deployment, MACHINES[part]))
    assert "arn:aws" not in text
    tasks = 4 if deployment.of_type("AWS::ECS::TaskDefinition") else 0
    assert (
        text.count("arn:<AWS::Partition>:states:::")
        == {"etl": 1, "train": tasks + 2, "batch": 3, "monitor": 1, "rollout": 0}[part]
    )


def test_aws_would_take_each_definition_of_the_template(deployment):
    definitions = {}
    for part, prefix in MACHINES.items():
        text = json.dumps(definition(deployment, prefix)).replace("<AWS::Partition>", "aws")
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
        definitions[part] = json.loads(re.sub(r"<\w+>", arn, text))
    assert validate(definitions) == []


@pytest.mark.parametrize(("asked", "seconds"), [("aws", 30), ("local", 2), ("switched", 7)])
def test_etl_waits_for_as_long_as_it_was_told(request, asked, seconds):
    deployed = definition(request.getfixturevalue(asked), "EtlMachine")
    text = json.dumps(deployed)
    assert f"States.StringToJson('{seconds}')" in text or f'"Seconds": {seconds}' in text


def test_children_of_a_map_hand_nothing_back_and_nobody_asks_them_to(aws):
    machine = definition(aws, "ScoringMachine")
    maps = {name: state for name, state in machine["States"].items() if state["Type"] == "Map"}
    assert {name: state["Next"] for name, state in maps.items()} == {"Survey chunks": "Cut", "Score shards": "Verify"}
    for state in maps.values():
        assert state["ResultPath"] is None
        (lost,) = [inner for inner in state["ItemProcessor"]["States"].values() if inner["Type"] == "Pass"]
        assert lost["Parameters"] == {}
        follower = machine["States"][state["Next"]]
        assert set(follower["Parameters"]) == {"step", "batch.$"}, "it is told which batch, and looks for itself"


def test_a_batch_is_done_before_anybody_is_told_and_whether_or_not_they_are(aws):
    states = definition(aws, "ScoringMachine")["States"]
    assert states["Publish"]["Next"] == "Notify"
    assert states["Notify"]["Next"] == states["Notify"]["Catch"][0]["Next"] == "Done"
    assert states["Notify"]["Parameters"]["TopicArn"].startswith("<ScoringTopic")


def test_null_survives_for_it_means_to_keep_a_states_input(synthesize, tmp_path, monkeypatch):
    for path in FILES:
        content = asl.load(path)
        content["States"][content["StartAt"]]["ResultPath"] = None
        (tmp_path / path.name).write_text(json.dumps(content))
    monkeypatch.setattr(asl, "FOLDER", tmp_path)
    deployed = definition(synthesize({"AWS_ENDPOINT_URL": "http://x", "MLFLOW_TRACKING_URI": "http://y"}), "EtlMachine")
    assert deployed["States"][deployed["StartAt"]]["ResultPath"] is None


def test_machines_log_and_show_no_data_in_their_log(deployment):
    for machine in deployment.of_type("AWS::StepFunctions::StateMachine").values():
        assert machine["LoggingConfiguration"]["Level"] == "ALL"
        assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
        assert "TracingConfiguration" not in machine or machine["TracingConfiguration"] == {"Enabled": False}
