"""Training as Fargate tasks: where they are made, what they run, and what reaches them."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path

import pytest

from infra import REPOSITORY
from infra.asl.retries import longest_wait
from infra.options import OptionError, read_options
from localstack.home import Home
from localstack.record import Record
from tests.infra.conftest import LOCAL
from tests.infra.test_machines import definition

MADE = ("AWS::ECS::", "AWS::EC2::")


def kinds(deployment) -> set[str]:
    return {item["Type"] for item in deployment.resources.values() if item["Type"].startswith(MADE)}


@pytest.fixture
def folder(tmp_path) -> Path:
    """The heart problem's folder, with what a test writes into its [training] table."""
    source = REPOSITORY / "problems" / "heart"
    for file in source.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def say(folder: Path, compute: str) -> str:
    file = folder / "problem.toml"
    file.write_text(file.read_text().replace("[training]", f'[training]\ncompute = "{compute}"'))
    return str(folder)


def test_a_stack_that_trains_in_functions_alone_has_no_network_and_no_tasks(synthesize, folder):
    made = synthesize(problem=say(folder, "function"))
    assert kinds(made) == set()
    machine = json.dumps(definition(made, "TrainMachine"))
    assert "ecs" not in machine
    variables = made.named("AWS::Lambda::Function", "TrainFunction")["Environment"]["Variables"]
    assert variables["ANDAMIO_COMPUTE"] == "function"
    (policy,) = made.named("AWS::IAM::Role", "TrainMachineRole")["Policies"]
    assert not {"ecs:RunTask", "iam:PassRole"} & set(actions(policy))


def actions(policy) -> list[str]:
    found = [statement["Action"] for statement in policy["PolicyDocument"]["Statement"]]
    return [action for one in found for action in (one if isinstance(one, list) else [one])]


def test_a_given_role_leaves_training_to_functions(given_role):
    assert kinds(given_role) == set()
    variables = given_role.named("AWS::Lambda::Function", "TrainFunction")["Environment"]["Variables"]
    assert variables["ANDAMIO_COMPUTE"] == "function"


def test_tasks_that_are_asked_for_and_cannot_be_made_are_refused(synthesize, folder):
    with pytest.raises(OptionError, match='must be "auto" or "function"'):
        synthesize(problem=say(folder, "task"), existing_role_arn="arn:aws:iam::123456789012:role/LabRole")


def test_a_pipeline_travels_to_training_alone(synthesize, folder):
    source = b"def pipeline(trial): ...\n"
    (folder / "pipeline.py").write_bytes(source)
    made = synthesize(problem=say(folder, "task"))
    layers = {
        part: len(made.named("AWS::Lambda::Function", f"{part}Function").get("Layers", []))
        for part in ("Train", "Etl", "Api")
    }
    assert layers == {"Train": 2, "Etl": 1, "Api": 0}
    (task,) = made.of_type("AWS::ECS::TaskDefinition").values()
    variables = {pair["Name"]: pair["Value"] for pair in task["ContainerDefinitions"][0]["Environment"]}
    assert zlib.decompress(base64.b64decode(variables["ANDAMIO_PIPELINE"])) == source


def test_localstack_has_no_tasks_and_ministack_has(tmp_path):
    for emulator, has_tasks in (("localstack", False), ("ministack", True)):
        home = Home(tmp_path / emulator)
        record = Record(home, emulator=emulator).as_json() | {"mlflow_url": "http://127.0.0.1:5000"}
        home.record.parent.mkdir(parents=True, exist_ok=True)
        home.record.write_text(json.dumps(record))
        found = read_options(lambda key: None, {**LOCAL, "ANDAMIO_HOME": str(home.path)})
        assert found.tasks is has_tasks


def test_nothing_costs_while_no_task_runs(aws):
    billed = {"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::ECS::Service", "AWS::EC2::Instance"}
    assert not kinds(aws) & billed
    for endpoint in aws.of_type("AWS::EC2::VPCEndpoint").values():
        assert endpoint["VpcEndpointType"] == "Gateway"


def test_nothing_reaches_a_task(aws):
    (group,) = aws.of_type("AWS::EC2::SecurityGroup").values()
    assert not group.get("SecurityGroupIngress")
    assert not aws.of_type("AWS::EC2::SecurityGroupIngress")
    (task,) = aws.of_type("AWS::ECS::TaskDefinition").values()
    assert "PortMappings" not in task["ContainerDefinitions"][0]


def test_a_task_runs_the_very_bundle_of_the_function_and_checks_it(aws, empty_bundles):
    (task,) = aws.of_type("AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    variables = {pair["Name"]: pair["Value"] for pair in container["Environment"]}
    code = aws.named("AWS::Lambda::Function", "TrainFunction")["Code"]
    bucket, key = variables["ANDAMIO_BUNDLE"]["Fn::Join"][1]
    assert (bucket, key) == (code["S3Bucket"], f"/{code['S3Key']}")
    bundle = empty_bundles(["train"], "x86_64")["train"]
    assert variables["ANDAMIO_BUNDLE_SHA256"] == hashlib.sha256(bundle.path.read_bytes()).hexdigest()
    settings = aws.named("AWS::Lambda::Function", "TrainFunction")["Environment"]["Variables"]
    differ = {key for key, value in settings.items() if variables[key] != value}
    assert differ == {"ANDAMIO_SECONDS", "ANDAMIO_MEMORY_MB"}
    assert (variables["ANDAMIO_SECONDS"], variables["ANDAMIO_MEMORY_MB"]) == (str(6 * 3600), task["Memory"])
    compile(container["EntryPoint"][2], "bootstrap", "exec")


@pytest.mark.parametrize(("stack", "architecture"), [("aws", "X86_64"), ("switched", "ARM64")])
def test_a_task_has_the_processor_that_its_bundle_is_for(request, stack, architecture):
    (task,) = request.getfixturevalue(stack).of_type("AWS::ECS::TaskDefinition").values()
    assert task["RuntimePlatform"]["CpuArchitecture"] == architecture


def test_spot_is_for_trials_alone_and_a_trial_that_loses_it_runs_on_demand(aws):
    machine = definition(aws, "TrainMachine")
    trials = machine["States"]["Trials"]["ItemProcessor"]["States"]
    capacity = {
        name: state["Parameters"]["CapacityProviderStrategy"][0]["CapacityProvider"]
        for name, state in {**machine["States"], **trials}.items()
        if "runTask" in str(state.get("Resource"))
    }
    assert capacity == {
        "TrialTask": "FARGATE_SPOT",
        "TrialTaskOnDemand": "FARGATE",
        "FitTask": "FARGATE",
        "EvaluateTask": "FARGATE",
    }
    for state in (trials["TrialTask"], machine["States"]["FitTask"]):
        (override,) = state["Parameters"]["Overrides"]["ContainerOverrides"]
        (told,) = override["Environment"]
        assert (told["Name"], told["Value.$"]) == ("ANDAMIO_MEMORY_MB", state["Parameters"]["Overrides"]["Memory.$"])
    assert trials["TrialTask"]["Catch"][-1]["Next"] == "TrialTaskOnDemand"


def test_a_trial_that_takes_too_long_on_spot_capacity_is_not_run_again(aws):
    trials = definition(aws, "TrainMachine")["States"]["Trials"]["ItemProcessor"]["States"]
    first = trials["TrialTask"]["Catch"][0]
    assert (first["ErrorEquals"], first["Next"]) == (["States.Timeout"], "TrialTaskFailed")


def test_spot_capacity_is_waited_for_a_minute_and_capacity_on_demand_until_a_task_may_have_ended(aws):
    trials = definition(aws, "TrainMachine")["States"]["Trials"]["ItemProcessor"]["States"]
    spot, on_demand = (trials[name]["Retry"][0] for name in ("TrialTask", "TrialTaskOnDemand"))
    assert spot["ErrorEquals"] == on_demand["ErrorEquals"]
    assert longest_wait(spot) <= 90
    assert longest_wait(on_demand) >= 1800


def test_a_trial_as_a_task_hands_nothing_to_the_map(aws):
    trials = definition(aws, "TrainMachine")["States"]["Trials"]["ItemProcessor"]["States"]
    for name in ("TrialTask", "TrialTaskOnDemand"):
        assert trials[name]["ResultSelector"] == {}, "the description of a task has kilobytes"


def test_a_failed_task_is_told_with_its_size(aws):
    machine = definition(aws, "TrainMachine")
    inner = machine["States"]["Trials"]["ItemProcessor"]["States"]
    assert inner["TrialTaskFailed"]["Parameters"]["task.$"] == inner["TrialTask"]["Parameters"]["Overrides"][
        "Cpu.$"
    ].removesuffix(".cpu")
    assert machine["States"]["TaskFailed"]["Parameters"]["task.$"] == "$.plan.task"


def test_a_task_may_write_runs_and_no_release_and_no_data(aws):
    (policy,) = aws.named("AWS::IAM::Role", "TasksRole")["Policies"]
    text = json.dumps(policy["PolicyDocument"]["Statement"])
    assert "/runs/*" in text
    for forbidden in ("/releases", "/serving", "raw/", "logs:", "dynamodb:"):
        assert forbidden not in text
