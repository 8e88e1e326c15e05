"""State machines as they are deployed, and the rules that every file of them keeps."""

from __future__ import annotations

import json

import pytest

from infra import asl

MACHINES = {"etl": "EtlMachine", "train": "TrainMachine", "batch": "ScoringMachine"}
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
    assert list(deployed["States"]) == list(source["States"])


@pytest.mark.parametrize("part", MACHINES)
def test_a_machine_calls_only_what_its_role_may_call(aws, part):
    called = {task["Resource"] for _, task in asl.tasks(definition(aws, MACHINES[part])) if "<" in task["Resource"]}
    (policy,) = aws.named("AWS::IAM::Role", f"{MACHINES[part]}Role")["Policies"]
    invoke = next(
        statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    )
    allowed = invoke if isinstance(invoke, list) else [invoke]
    assert called == {f"<{reference(resource)}>" for resource in allowed}


def test_registering_may_take_as_long_as_its_function_does(deployment):
    seconds = deployment.named("AWS::Lambda::Function", "Registry")["Timeout"]
    steps = [task for _, task in asl.tasks(definition(deployment, "TrainMachine"))]
    registering = [task for task in steps if task.get("Parameters", {}).get("step") == "register"]
    assert len(registering) == 2
    assert {task["TimeoutSeconds"] for task in registering} == {seconds}


def test_numbers_arrive_as_numbers(aws):
    assert find_state(definition(aws, "TrainMachine"), "Map")["MaxConcurrency"] == 4


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
        assert state["ItemProcessor"]["States"]["Lost"]["Parameters"] == {}
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
