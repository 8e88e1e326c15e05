"""The linter: what is wrong with a state machine, said in a sentence that names file and state."""

from __future__ import annotations

import copy
import json

import pytest

from infra import asl

RETRY = [
    {
        "ErrorEquals": sorted(asl.LAMBDA_FAULTS),
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxAttempts": 3,
        "JitterStrategy": "FULL",
    }
]
GOOD = {
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "Seconds": "${QuietSeconds}", "Next": "Work"},
        "Work": {
            "Type": "Task",
            "Resource": "${EtlFunction}",
            "TimeoutSeconds": 60,
            "Retry": RETRY,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Start", "States": {"Start": {"Type": "Pass", "End": True}}},
            "Next": "More",
        },
        "More": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.more", "BooleanEquals": True, "Next": "Wait"}],
            "Default": "Train",
        },
        "Train": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution",
            "Parameters": {"StateMachineArn": "${TrainMachine}"},
            "TimeoutSeconds": 60,
            "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail", "CausePath": "$.Cause"},
    },
}


@pytest.fixture
def lint(tmp_path):
    def run(change=lambda machine: None, name="etl") -> str:
        machine = copy.deepcopy(GOOD)
        change(machine)
        path = tmp_path / f"{name}.asl.json"
        path.write_text(json.dumps(machine))
        return "\n".join(asl.lint(path))

    return run


def task(change):
    return lambda machine: change(machine["States"]["Work"])


BROKEN = {
    "cannot be reached": lambda m: m["States"].update(Lost={"Type": "Succeed"}),
    "Work goes on to 'Nowhere'": task(lambda t: t.update(Next="Nowhere")),
    "StartAt is 'Begin'": lambda m: m.update(StartAt="Begin"),
    "Work has no TimeoutSeconds": task(lambda t: t.pop("TimeoutSeconds")),
    "Work has no Catch for States.ALL": task(lambda t: t.pop("Catch")),
    "Work does not retry Lambda.TooManyRequestsException": task(
        lambda t: t.update(Retry=[{**RETRY[0], "ErrorEquals": sorted(asl.LAMBDA_FAULTS)[:-1]}])
    ),
    "Work does not retry": task(lambda t: t.update(Retry=[{**RETRY[0], "MaxAttempts": 0}])),
    "without JitterStrategy": task(lambda t: t["Retry"][0].pop("JitterStrategy")),
    "without a growing BackoffRate": task(lambda t: t["Retry"][0].update(BackoffRate=1.0)),
    "Train has no Retry": lambda m: m["States"]["Train"].pop("Retry"),
    "Choice without Default": lambda m: m["States"]["More"].pop("Default"),
    "Choice without Choices": lambda m: m["States"]["More"].update(Choices=[]),
    "Wait neither ends nor has a Next": lambda m: m["States"]["Wait"].pop("Next"),
    "Wait has both Next and End": lambda m: m["States"]["Wait"].update(End=True),
    "Wait has Type 'Pause'": lambda m: m["States"]["Wait"].update(Type="Pause"),
    "Fail without a Cause": lambda m: m["States"]["Failed"].pop("CausePath"),
    "Each is a Map with nothing in it": lambda m: m["States"]["Each"].pop("ItemProcessor"),
    "Each / StartAt is 'Gone'": lambda m: m["States"]["Each"]["ItemProcessor"].update(StartAt="Gone"),
    "Each has ItemBatcher, which not every emulator knows": lambda m: m["States"]["Each"].update(ItemBatcher={}),
    "Each has no Catch for States.ALL": lambda m: m["States"]["Each"]["ItemProcessor"].update(
        ProcessorConfig={"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    ),
    "Each has no States": lambda m: m["States"]["Each"].update(ItemProcessor={"StartAt": "x"}),
    "${Wrong} is not known": task(lambda t: t.update(Comment="${Wrong}")),
    "${EtlFunction} is filled in but never used": task(lambda t: t.update(Resource="arn:aws:lambda:x:1:function:f")),
}


def test_a_good_machine_has_nothing_wrong(lint):
    assert lint() == ""


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_broken_is_said_with_file_and_state(lint, said):
    found = lint(BROKEN[said])
    assert said in found
    assert found.startswith("etl.asl.json: ")


def test_a_file_that_no_stack_fills_in_is_found(lint):
    assert "no stack fills in" in lint(name="extra")


def test_a_file_that_is_no_json_is_found(tmp_path):
    path = tmp_path / "etl.asl.json"
    path.write_text('{"StartAt": ${Oops}}')
    assert asl.lint(path) == [f"{path.name}: not valid JSON: Expecting value: line 1 column 13 (char 12)"]


def test_the_command_fails_with_every_sentence(tmp_path, capsys):
    path = tmp_path / "etl.asl.json"
    path.write_text(json.dumps({"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}))
    assert asl.main([str(path)]) == 1
    said = capsys.readouterr().err
    assert "error: etl.asl.json: the placeholder ${EtlFunction}" in said
    assert asl.main([str(tmp_path / "none.asl.json")]) == 1


def test_the_command_is_content_with_the_files_that_there_are(capsys):
    assert asl.main([]) == 0
    assert "batch.asl.json, etl.asl.json, train.asl.json" in capsys.readouterr().out


def test_a_distributed_map_is_seen_wherever_it_is():
    inner = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}
    nested = {"States": {"Both": {"Type": "Parallel", "Branches": [{"States": {"Each": {"ItemProcessor": inner}}}]}}}
    assert asl.is_distributed(nested)
    assert not asl.is_distributed(GOOD)


def test_a_placeholder_alone_takes_its_values_type_and_within_a_text_becomes_text():
    filled = asl.render(
        {"a": "${N}", "b": "wait ${N} s", "c": [None, 1, "$.path", "${S}"], "d": None}, {"N": 4, "S": "arn"}
    )
    assert filled == {"a": 4, "b": "wait 4 s", "c": [None, 1, "$.path", "arn"], "d": None}


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(asl.AslError, match=r"\$\{Lost\} has no value"):
        asl.render(["${Lost}"], {"Found": 1})
