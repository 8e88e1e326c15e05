"""A deploy is of a problem, a stage and a place: what is up to date in one place is not in another."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from andamio.adapters.aws import Account
from andamio.adapters.memory import MemoryObjects
from andamio.cli import home, main
from andamio.cli.cloud import cdk, deployment, target
from andamio.cli.cloud import outputs as deployed
from andamio.cli.models import show
from andamio.contract import Contract
from andamio.errors import AccountError, InputFileError, NotDeployed, UsageError
from tests.support.account import REGION, Aws

HEART = home.REPO / "problems" / "heart"
MADE = {
    "ApiUrl": "https://abc.execute-api.{place}.amazonaws.com/v1/", "ApiKeyId": "key", "LakeBucket": "lake",
    "ModelsBucket": "models", "BatchBucket": "batch", "EtlMachine": "etl", "TrainMachine": "train",
    "BatchMachine": "batch", "MonitorMachine": "monitor", "RolloutMachine": "rollout",
    "BatchTopic": "b", "PredictionsTable": "t", "AlertsTopic": "a", "MlflowUri": "arn:mlflow",
}  # fmt: skip


@dataclass
class World:
    """AWS, as far as a deploy sees it: stacks by account and region, and what CDK was called with."""

    account: str = "111111111111"
    stacks: set[tuple[str, str, str]] = field(default_factory=set)
    calls: list[list[str]] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    roles: dict[str, bool | None] = field(default_factory=dict)

    def open(self, endpoint_url: str | None, region: str) -> Any:
        """An account as the adapter opens it, by the credentials of now."""
        account = self.account

        def outputs(stack: str) -> dict[str, str] | None:
            there = (account, region, stack) in self.stacks
            return {key: value.format(place=region) for key, value in MADE.items()} if there else None

        return SimpleNamespace(
            endpoint_url=endpoint_url,
            number=lambda: account,
            stack_outputs=outputs,
            api_key=lambda key: f"of {key}",
            objects=MemoryObjects,
            lacking=lambda deployed: self.gone,
            has_role=lambda name: self.roles.get(name, True),
        )

    def cdk(self, arguments: list[str], environment: dict[str, str], what: str, *, interactive: bool = False) -> None:
        """The CDK command line."""
        self.calls.append(arguments)
        self.asked.append(interactive)
        self.stacks.add((self.account, environment["AWS_REGION"], arguments[1]))

    @property
    def contexts(self) -> list[str]:
        """The context of the last call."""
        last = self.calls[-1]
        return [last[place + 1] for place, word in enumerate(last) if word == "--context"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(target, "Account", made.open)
    monkeypatch.setattr(home, "Account", made.open)
    monkeypatch.setattr(cdk, "run", made.cdk)
    monkeypatch.setattr(deployment, "_SOURCES", ())  # what is deployed is not what these tests change
    return made


def deploy(**more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"aws": True, "context": [], "yes": True, **more}
    return deployment.deploy(HEART, **asked)


def test_the_same_place_is_up_to_date_and_another_region_or_account_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ireland = deploy()
    assert deploy() == ireland
    assert len(world.calls) == 1, "nothing changed"

    monkeypatch.setenv("AWS_REGION", "us-east-1")
    virginia = deploy()
    assert len(world.calls) == 2, "another region is another place"
    assert "us-east-1" in virginia["api_url"]

    world.account = "222222222222"
    other = deploy()
    assert len(world.calls) == 3, "another account is another place"
    assert other["account"] == "222222222222"

    world.account = "111111111111"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert deploy()["api_url"] == ireland["api_url"]
    assert len(world.calls) == 3
    assert deployed.last_deployed() == ireland
    assert [deployed.target(one) for one in deployed.all_outputs()] == [
        "111111111111-eu-west-1",
        "111111111111-us-east-1",
        "222222222222-us-east-1",
    ]


def test_a_stack_that_is_gone_is_deployed_again(world: World) -> None:
    deploy()
    world.stacks.clear()
    deploy()
    assert len(world.calls) == 2


def test_a_stack_whose_resources_are_gone_is_not_said_to_be_up_to_date(world: World) -> None:
    deploy()
    world.gone = ["bucket lake", "function andamio-heart-api"]
    with pytest.raises(NotDeployed, match=r"Missing: bucket lake, function andamio-heart-api.*andamio destroy"):
        deploy()


def test_what_a_system_lacks_is_looked_for_in_each_service(aws: Aws) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="lake")
    found = Account(None, REGION).lacking(
        {
            "system": "heart",
            "api_url": "https://abcdefghij.execute-api.x.amazonaws.com/v1",
            "buckets": {"lake": "lake", "models": "models"},
            "state_machines": {"etl": f"arn:aws:states:{REGION}:123456789012:stateMachine:andamio-heart-etl"},
            "predictions_table": "predictions",
        }
    )
    assert "bucket lake" not in found
    assert {"bucket models", "function andamio-heart-api", "state machine andamio-heart-etl", "API abcdefghij"} < set(
        found
    )
    assert "table predictions" in found


def test_a_stage_is_a_system_of_its_own(world: World) -> None:
    dev, prod = deploy(), deploy(stage="prod")
    assert (dev["stage"], dev["system"], dev["stack"]) == ("dev", "heart", "andamio-heart")
    assert (prod["stage"], prod["system"], prod["stack"]) == ("prod", "heart--prod", "andamio-heart--prod")
    assert world.calls[-1][:2] == ["deploy", "andamio-heart--prod"]
    assert "stage=prod" in world.contexts
    assert deploy(stage="prod") == deploy(context=["stage=prod"]) == prod
    assert len(world.calls) == 2
    assert deployed.find("heart", "dev") == deployed.find(stage="dev") == dev
    assert deployed.find("heart", "prod") == deployed.find("heart") == deployed.find() == prod
    with pytest.raises(
        NotDeployed, match=r"in stage 'test'\. Deployed systems: heart \(1{12}-eu-west-1\), heart--prod"
    ):
        deployed.find("heart", "test")


@pytest.mark.parametrize("stage", ["Prod", "pre-prod", "1st", "production123", "a--b"])
def test_a_stage_that_no_name_may_carry_is_refused_before_anything_is_asked(world: World, stage: str) -> None:
    with pytest.raises(UsageError, match=r"--stage .*: expected 1 to 12 lower-case letters and digits"):
        deploy(stage=stage)
    assert world.calls == []


def test_a_system_that_is_too_long_for_aws_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has 33 characters, and AWS names allow 31"):
        target.system_of("a" * 25, "stages")
    assert target.system_of("a" * 25, "prod") == "a" * 25 + "--prod"


def test_two_stages_at_once_are_refused(world: World) -> None:
    with pytest.raises(UsageError, match=r"--stage prod and --context stage=test"):
        deploy(stage="prod", context=["stage=test"])


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDFORMATION"])
def test_with_the_local_clouds_endpoint_in_the_shell_aws_is_not_what_would_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whether it is that of all services, or of one alone: boto3 and the CDK follow either."""
    monkeypatch.setenv(name, "http://127.0.0.1:4566")
    with pytest.raises(AccountError, match=rf"set: {name} \(http://127.0.0.1:4566\). Run: unset {name}$"):
        deploy()


@pytest.mark.parametrize(
    ("terminal", "yes", "approval"), [(True, False, "broadening"), (True, True, "never"), (False, True, "never")]
)
def test_a_person_is_asked_before_permissions_are_widened(
    world: World, terminal: bool, yes: bool, approval: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: terminal))
    deploy(yes=yes)
    call = world.calls[-1]
    assert call[call.index("--require-approval") + 1] == approval
    assert world.asked == [approval == "broadening"], "CDK has the terminal when it asks"


def test_where_nobody_can_be_asked_nothing_is_deployed_and_the_way_to_look_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UsageError) as refused:
        deploy(yes=False, stage="prod")
    assert f"cdk diff andamio-heart--prod --context problem={HEART} --context stage=prod" in str(refused.value)
    assert "--yes" in str(refused.value)
    assert world.calls == []
    deploy(stage="prod")
    assert deploy(yes=False, stage="prod")["stage"] == "prod", "what is up to date asks nobody"


def test_commands_go_to_the_stage_that_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(stage="prod")
    deploy()
    groups: list[str] = []
    account = SimpleNamespace(log_lines=lambda group, since: groups.append(group) or [])
    monkeypatch.setattr(show, "account_of", lambda deployed: account)
    for stage in (["--stage", "prod"], []):
        monkeypatch.setattr(sys, "argv", ["andamio", "logs", "api", *stage])
        with pytest.raises(SystemExit):
            main.main()
    assert groups == ["/aws/lambda/andamio-heart--prod-api", "/aws/lambda/andamio-heart-api"]


def test_credentials_of_another_account_reach_nothing(world: World) -> None:
    made = deploy()
    assert home.account(made)
    world.account = "222222222222"
    with pytest.raises(AccountError, match=r"in AWS account 1{12}, but your credentials belong to account 2{12}"):
        home.account(made)


def test_what_an_older_version_wrote_is_to_be_deployed_again(world: World) -> None:
    home.write_json(home.home() / "outputs.json", {"problem": "heart", "stack": "andamio-heart", "emulator": True})
    with pytest.raises(NotDeployed, match="older version"):
        deployed.find()


def test_the_last_deploy_goes_with_its_system_and_no_other(world: World) -> None:
    deploy()
    last = deploy(stage="prod")
    deployed.forget("111111111111-eu-west-1", "heart")
    assert deployed.last_deployed() == last
    deployed.forget("111111111111-eu-west-1", "heart--prod")
    assert deployed.last_deployed() is None
    assert list(deployed.all_outputs()) == []


def test_when_the_last_deploy_is_gone_commands_go_to_the_one_before(world: World) -> None:
    dev = deploy()
    deploy(stage="prod")
    deployed.forget("111111111111-eu-west-1", "heart--prod")
    assert deployed.last_deployed() is None
    assert deployed.find() == deployed.find(stage="dev") == dev


def test_dev_is_no_stage_on_the_local_cloud() -> None:
    assert target.stage_of("dev", local=True) == target.stage_of(None, local=True) == ""
    assert target.stage_of("prod", local=True) == "prod"


def test_a_folder_is_the_same_however_it_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HEART.parent)
    deploy()
    deployment.deploy(Path(HEART.name), aws=True, context=[], yes=True)
    assert len(world.calls) == 1


# The columns of [data] files


def problem_folder(folder: Path, file: str, text: str, *, target: str = "kind") -> Path:
    """A problem with one file of data."""
    (folder / "problem.toml").write_text(
        f'[problem]\nname = "fruit"\ntarget = "{target}"\nlabels = {{ a = "A", b = "B" }}\n[data]\nfiles = ["{file}"]\n'
        '[features.size]\ntype = "number"\n[features.colour]\ntype = "category"\nrequired = false\n'
    )
    (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("file", "text", "objection"),
    [
        (
            "rows.csv",
            "size,colour,sort\n1,red,a\n",
            r"rows\.csv lacks the column 'kind'; it has size, colour, sort\. N",
        ),
        (
            "rows.csv",
            "size,colour,Kind\n1,red,a\n",
            r"rows\.csv lacks the column 'kind' \(is it 'Kind'\?\); it has size",
        ),
        (
            "rows.csv",
            "Siez;colour;kind\n1;red;a\n",
            r"lacks the column 'size' \(is it 'Siez'\?\); .* Correct the header",
        ),
        ("rows.csv", "size,color,kind\n1,red,a\n", r"has the column 'color' for 'colour' of problem\.toml: rename it"),
        ("rows.jsonl", '{"size": 1, "sort": "a"}\n' * 3, r"rows\.jsonl lacks the column 'kind'; it has size, sort"),
        ("rows.csv", "", r"rows\.csv is empty \(0 bytes\)"),
        ("rows.txt", "size,kind\n", r"rows\.txt has a name that does not say what it is"),
    ],
)
def test_a_file_whose_columns_etl_would_refuse_is_refused_before_anything_is_deployed(
    world: World, tmp_path: Path, file: str, text: str, objection: str
) -> None:
    folder = problem_folder(tmp_path, file, text)
    with pytest.raises(InputFileError, match=objection):
        deployment.deploy(folder, aws=True, context=[], yes=True)
    assert world.calls == []


def test_a_name_of_jsonl_may_come_late_and_a_file_that_is_not_there_is_named(world: World, tmp_path: Path) -> None:
    folder = problem_folder(tmp_path, "rows.jsonl", '{"size": 1}\n{"size": 2, "kind": "a"}\n')
    deployment.deploy(folder, aws=True, context=[], yes=True)
    assert len(world.calls) == 1
    (folder / "rows.jsonl").rename(folder / "Rows.jsonl")
    with pytest.raises(
        InputFileError, match=r"names 'rows\.jsonl', but .* has no such file\. Did you mean 'Rows\.jsonl'"
    ):
        deployment.deploy(folder, aws=True, context=[], yes=True)
    assert len(world.calls) == 1


ECS_ROLE = "AWSServiceRoleForECS"


def test_an_account_that_never_used_ecs_is_told_before_anything_is_made(world: World) -> None:
    world.roles[ECS_ROLE] = False
    with pytest.raises(AccountError, match="aws iam create-service-linked-role --aws-service-name ecs"):
        deploy()
    assert world.calls == []


@pytest.mark.parametrize("known", [True, None])
def test_an_account_that_has_the_role_of_ecs_or_does_not_say_is_deployed_to(world: World, known: bool | None) -> None:
    world.roles[ECS_ROLE] = known
    deploy()
    assert len(world.calls) == 1


def test_a_deployment_without_tasks_needs_no_role_of_ecs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.roles[ECS_ROLE] = False
    deploy(context=["existing_role_arn=arn:aws:iam::111111111111:role/LabRole"])
    text = (HEART / "problem.toml").read_text()
    (tmp_path / "problem.toml").write_text(text.replace("[training]", '[training]\ncompute = "function"'))
    contract = Contract.load(tmp_path)
    deployment.require_role_of_ecs(contract, target.target(aws=True), [])
    assert len(world.calls) == 1


def test_a_role_is_there_or_not_or_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        account = Account(None, "eu-west-1")
        assert account.has_role(ECS_ROLE) is False
        boto3.client("iam").create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        made = boto3.client("iam").list_roles()["Roles"][0]["RoleName"]
        assert account.has_role(made) is True
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole")
    monkeypatch.setattr(Account, "guarded", lambda self, service: SimpleNamespace(get_role=raising(denied)))
    assert account.has_role(ECS_ROLE) is None


def raising(error: Exception) -> Any:
    def call(**_: object) -> None:
        raise error

    return call
