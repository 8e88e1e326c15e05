"""The linter: what is wrong with a state machine, said in a sentence that names file and state."""

from __future__ import annotations

import copy
import json

import pytest

from infra import asl
from infra.asl import validator
from infra.asl.__main__ import main, rendered
from infra.asl.definition import every_state
from infra.asl.placeholders import task_seconds
from infra.asl.policies import policies
from infra.asl.retries import LAMBDA_FAULTS, THROTTLED, longest_wait
from infra.asl.rules import rules

SPREAD = {"IntervalSeconds": 2, "BackoffRate": 2, "MaxDelaySeconds": 120, "JitterStrategy": "FULL"}
RETRY = [
    {"ErrorEquals": [THROTTLED], "MaxAttempts": 30, **SPREAD},
    {"ErrorEquals": sorted(LAMBDA_FAULTS), "MaxAttempts": 3, **SPREAD},
]
CAUGHT = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Why"}]
GOOD = {
    "StartAt": "Wait",
    "TimeoutSeconds": "${LongestSeconds}",
    "States": {
        "Wait": {"Type": "Wait", "Seconds": "${QuietSeconds}", "Next": "Work"},
        "Work": {
            "Type": "Task",
            "Resource": "${EtlFunction}",
            "TimeoutSeconds": "${EtlFunctionSeconds}",
            "Retry": RETRY,
            "Catch": CAUGHT,
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
            "Resource": "arn:${Partition}:states:::states:startExecution",
            "Parameters": {"StateMachineArn": "${TrainMachine}"},
            "TimeoutSeconds": 60,
            "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
            "Catch": CAUGHT,
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Why": {
            "Type": "Choice",
            "Choices": [{"And": [{"Variable": "$.error.Cause", "IsPresent": True}], "Next": "Failed"}],
            "Default": "Timed out",
        },
        "Failed": {"Type": "Fail", "Error": "Ours", "CausePath": "$.error.Cause"},
        "Timed out": {"Type": "Fail", "Error": "Ours", "CausePath": "$.error.Error"},
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


def state(name, change):
    return lambda machine: change(machine["States"][name])


def throttling(**changed):
    return task(lambda t: t["Retry"][0].update(changed))


def without(*fields, of=0):
    return task(lambda t: [t["Retry"][of].pop(field) for field in fields])


FIRST = f"Work does not retry {THROTTLED} first, in an entry of its own"
BROKEN = {
    "cannot be reached": lambda m: m["States"].update(Lost={"Type": "Succeed"}),
    "Work continues with 'Nowhere'": task(lambda t: t.update(Next="Nowhere")),
    "StartAt is 'Begin'": lambda m: m.update(StartAt="Begin"),
    "Work has no TimeoutSeconds": task(lambda t: t.pop("TimeoutSeconds")),
    "Work has TimeoutSeconds 900, expected '${EtlFunctionSeconds}'": task(lambda t: t.update(TimeoutSeconds=900)),
    "Work has no Catch for States.ALL": task(lambda t: t.pop("Catch")),
    FIRST: task(lambda t: t["Retry"].reverse()),
    f"etl.asl.json: {FIRST}": task(lambda t: t["Retry"][0]["ErrorEquals"].append("States.ALL")),
    f"Work waits 63 s on average for {THROTTLED} to pass, expected at least 900": throttling(MaxAttempts=6),
    f"Work waits 0 s on average for {THROTTLED}": throttling(MaxAttempts=0),
    f"Work retries {THROTTLED} without JitterStrategy FULL": without("JitterStrategy"),
    f"Work retries {THROTTLED} without a growing BackoffRate": throttling(BackoffRate=1),
    f"Work retries {THROTTLED} without MaxDelaySeconds": without("MaxDelaySeconds"),
    "Work has a Retry with MaxTries, expected only BackoffRate": throttling(MaxTries=3),
    "Work does not retry Lambda.ServiceException": task(
        lambda t: t["Retry"][1].update(ErrorEquals=sorted(LAMBDA_FAULTS)[:-1])
    ),
    "Work does not retry Lambda.AWS": task(lambda t: t["Retry"][1].update(MaxAttempts=0)),
    "Lambda.SdkClientException, Lambda.ServiceException without JitterStrategy FULL": without("JitterStrategy", of=1),
    "Work retries 'throttled', expected one of throttling, service fault": task(
        lambda t: t.update(Retry=["throttled"])
    ),
    "Train has no Retry": lambda m: m["States"]["Train"].pop("Retry"),
    "Choice without Default": lambda m: m["States"]["More"].pop("Default"),
    "Choice without Choices": lambda m: m["States"]["More"].update(Choices=[]),
    "Wait neither ends nor has a Next": lambda m: m["States"]["Wait"].pop("Next"),
    "Wait has both Next and End": lambda m: m["States"]["Wait"].update(End=True),
    "Wait has Type 'Pause'": lambda m: m["States"]["Wait"].update(Type="Pause"),
    "Fail without a Cause": lambda m: m["States"]["Failed"].pop("CausePath"),
    "Failed has ErrorPath": state("Failed", lambda s: s.update(ErrorPath="$.error.Error")),
    "Failed has CausePath $.error.Cause, which need not be there when the Catch of Work leads to it": task(
        lambda t: t["Catch"][0].update(Next="Failed")
    ),
    "Failed has CausePath $.error.Cause, which need not be there when the Catch of Train leads to it": state(
        "Why", lambda s: s["Choices"].append({"Variable": "$.more", "IsPresent": True, "Next": "Failed"})
    ),
    "Failed has CausePath $.error.Cause, which need not be there when Each leads": state(
        "Each", lambda s: s.update(Next="Failed")
    ),
    "Timed out has CausePath $.error.Error, which need not be there when the Catch of Work leads to it": task(
        lambda t: t["Catch"][0].update(ResultPath="$.wrong")
    ),
    "Failed has CausePath $.error.Cause, which need not be there when StartAt leads": lambda m: m.update(
        StartAt="Failed"
    ),
    "Start names 2 states, 'Each / Start' and 'Start'": lambda m: m["States"].update(Start={"Type": "Succeed"}),
    "arn:aws: is written out": state("Train", lambda s: s.update(Resource="arn:aws:states:::states:startExecution")),
    "arn:aws-cn: is written out": state("Train", lambda s: s.update(Comment="arn:aws-cn:iam::1:role/r")),
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
    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert "error: etl.asl.json: the placeholder ${EtlFunction}" in said
    assert main([str(tmp_path / "none.asl.json")]) == 1


def test_the_command_is_content_with_the_files_that_there_are(capsys):
    assert main([]) == 0
    assert "batch.asl.json, etl.asl.json, monitor.asl.json, rollout.asl.json, train.asl.json" in capsys.readouterr().out


def test_a_file_is_printed_as_it_is_deployed(capsys):
    path = asl.FOLDER / "train.asl.json"
    assert main(["--print", str(path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == rendered(path)
    assert printed["States"]["Plan"]["Retry"][0]["ErrorEquals"] == [THROTTLED]


def test_what_cannot_be_printed_is_an_error(tmp_path, capsys):
    assert main(["--print", str(tmp_path / "none.asl.json")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_retriers_are_written_in_the_policies_alone_and_each_is_used():
    files = [json.loads((asl.FOLDER / f"{part}.asl.json").read_text()) for part in asl.PLACEHOLDERS]
    named = [entry for file in files for _, _, state in every_state(file) for entry in state.get("Retry", [])]
    assert all(isinstance(entry, str) for entry in named)
    assert set(named) == set(policies()["Retriers"])


def test_a_state_gets_the_retriers_that_it_names_in_their_order_and_without_their_comments(tmp_path):
    machine = copy.deepcopy(GOOD)
    machine["States"]["Work"]["Retry"] = ["throttling", "service fault", {"ErrorEquals": ["Other"]}]
    path = tmp_path / "etl.asl.json"
    path.write_text(json.dumps(machine))
    retry = asl.load(path)["States"]["Work"]["Retry"]
    assert retry == [
        {name: value for name, value in policies()["Retriers"][of].items() if name != "Comment"}
        for of in ("throttling", "service fault")
    ] + [{"ErrorEquals": ["Other"]}]
    assert "Comment" in policies()["Retriers"]["throttling"]


def test_a_catcher_says_only_what_is_not_in_the_default(tmp_path):
    machine = copy.deepcopy(GOOD)
    machine["States"]["Work"]["Catch"] = [{"ErrorEquals": ["Busy"], "Next": "Why"}, {"Next": "Why"}]
    path = tmp_path / "etl.asl.json"
    path.write_text(json.dumps(machine))
    caught = asl.load(path)["States"]["Work"]["Catch"]
    assert caught == [{"ErrorEquals": ["Busy"], "ResultPath": "$.error", "Next": "Why"}, *CAUGHT]


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


def test_a_task_waits_longer_than_its_function_may_run():
    assert task_seconds("EtlFunction", 900) == {"EtlFunctionSeconds": 960}


def test_the_longest_wait_is_what_all_attempts_wait_together():
    assert longest_wait({}) == 1 + 2 + 4, "by AWS's defaults"
    assert (
        longest_wait({"IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 5, "MaxDelaySeconds": 20})
        == 2 + 6 + 18 + 20 + 20
    )
    assert longest_wait({"MaxAttempts": 0}) == 0


# What CloudFormation would refuse: each planted in the file of a machine that is fine without it.
REFUSED = {
    "DUPLICATE_STATE_NAMES": ("batch", lambda s: twice(s, "Lost shard", "Lost chunk")),
    "/States/Plan is invalid": ("train", lambda s: s["Plan"].update(Retries=[])),
    "/States/Wait for quiet is invalid": ("etl", lambda s: s["Wait for quiet"].update(Second=3)),
    '"Finish" MUST contain exactly one of "End", "Next"': ("etl", lambda s: s["Finish"].pop("Next")),
    "target: Nowhere": ("train", lambda s: s["Plan"].update(Next="Nowhere")),
    "/States/Ask/TimeoutSeconds is invalid": ("train", lambda s: s["Ask"].update(TimeoutSeconds="2 minutes")),
    "/States/Ask/ResultPath is invalid": ("train", lambda s: s["Ask"].update(ResultPath="$.[")),
    "/States/Notify/Resource is invalid": ("batch", lambda s: s["Notify"].update(Resource="sns:publish")),
}


def twice(states, there, here):
    """The state `here` of the first map under the name of `there`, of the second."""
    first = states["Survey chunks"]["ItemProcessor"]["States"]
    first[there] = first.pop(here)
    first["Give up chunk"]["Catch"][0]["Next"] = there


@pytest.mark.parametrize("said", REFUSED)
def test_what_aws_would_refuse_is_refused_in_the_rendered_file_by_the_command(said, tmp_path, capsys):
    part, plant = REFUSED[said]
    definition = asl.load(asl.FOLDER / f"{part}.asl.json")
    plant(definition["States"])
    path = tmp_path / f"{part}.asl.json"
    path.write_text(json.dumps(definition))
    assert main([str(path)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "asl-validator: " in line]
    assert any(said in line for line in lines), lines
    assert all(line.startswith(f"error: {part}.asl.json: ") for line in lines)


def test_the_validator_sees_no_placeholder():
    for part in asl.PLACEHOLDERS:
        assert "${" not in json.dumps(rendered(asl.FOLDER / f"{part}.asl.json"))


def test_a_placeholder_of_an_unknown_kind_has_no_example():
    with pytest.raises(asl.AslError, match=r"\$\{Whatever\} has no example"):
        asl.example("Whatever")


@pytest.mark.parametrize("needed", ["NODE", "PACKAGE"])
def test_without_node_or_the_package_the_command_says_what_to_run(needed, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(validator, needed, tmp_path / "gone")
    assert main([]) == 1
    assert (
        f"asl-validator needs {tmp_path / 'gone'}, which is not there. Run `make install`." in capsys.readouterr().err
    )


def test_a_validator_that_breaks_is_not_taken_for_one_that_agrees(monkeypatch, tmp_path):
    (tmp_path / "index.js").write_text("module.exports = () => { throw new Error('out of order') }")
    monkeypatch.setattr(validator, "PACKAGE", tmp_path)
    with pytest.raises(asl.AslError, match="out of order"):
        validator.validate({"etl": GOOD})


def test_a_machine_without_a_service_keeps_every_rule_and_goes_the_other_way():
    machine = asl.load(asl.FOLDER / "train.asl.json")
    assert "ecs:runTask" in json.dumps(machine)
    left = asl.without(machine, "ecs:runTask")
    assert rules(left) == []
    text = json.dumps(left)
    assert "ecs:runTask" not in text
    for gone in ("FitIsLarge", "TaskFailed", "LeftNothing", "TrialIsLarge"):
        assert f'"{gone}"' not in text
    assert left["States"]["MayImprove"]["Default"] == "Fit"
    assert left["States"]["Trials"]["ItemProcessor"]["StartAt"] == "Trial"


def test_a_machine_that_never_calls_a_service_stays_as_it_is_without_it():
    machine = asl.load(asl.FOLDER / "batch.asl.json")
    assert asl.without(machine, "ecs:runTask") == machine


def test_a_task_that_no_choice_leads_to_cannot_be_left_out_in_silence():
    machine = asl.load(asl.FOLDER / "train.asl.json")
    machine["States"]["NoRoundYet"]["Next"] = "FitTask"
    assert any("FitTask" in sentence for sentence in rules(asl.without(machine, "ecs:runTask")))


def test_a_task_that_keeps_its_input_leaves_what_was_caught_where_it_is(lint):
    def told_first(machine, **path):
        machine["States"]["Tell"] = {**copy.deepcopy(machine["States"]["Work"]), "Next": "Why", **path}
        machine["States"]["Work"]["Catch"] = [{**CAUGHT[0], "Next": "Tell"}]

    assert not lint(lambda machine: told_first(machine, ResultPath=None))
    assert "need not be there when Tell leads to it" in lint(told_first)
