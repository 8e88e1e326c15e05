"""`andamio verify`: whatever fails, what was created is deleted, what is left is told, and the report can be pasted."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters import vpcs
from andamio.cli import home, main
from andamio.cli.cloud import outputs, teardown
from andamio.cli.cloud.target import Target
from andamio.cli.verify import run, steps
from andamio.cli.verify.report import hidden
from andamio.cli.verify.steps import Step, Verification
from andamio.errors import AwsError, ServiceError, ToolError
from tests.conformance.account import PREFIX

ACCOUNT, KEY = "210987654321", "kjh3K2jh5lkjsdf9"
LAST = {
    "problem": "heart", "stage": "", "system": "heart", "emulator": False, "account": ACCOUNT, "region": "eu-west-1",
    "deployed_at": "2026-11-27",
}  # fmt: skip


@dataclass
class World:
    """What there is of the system, and what goes wrong."""

    emulated: bool = False
    stack: bool = False
    bootstrapped: bool = True
    ecs: bool = True
    kept: list[str] = field(default_factory=list)
    """What a deletion leaves."""
    fails: dict[str, Callable[[], object]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def do(self, name: str) -> Callable[[Verification], str]:
        """A step, or the deletion, as it goes in this world."""

        def step(it: Verification) -> str:
            self.done.append(name)
            if name == "deploy":
                self.stack = True
                it.deployed = {"system": "heart--verify", "api_key": KEY}
            if name in self.fails:
                self.fails[name]()
            return ""

        return step

    def destroy(self, system: Any, *, everything: bool, earlier: bool) -> None:
        assert everything, "all that was created"
        assert not earlier, "and nothing else"
        self.done.append("delete")
        if "delete" in self.fails:
            self.fails["delete"]()
        self.stack = False
        if self.kept:
            raise AwsError("These resources may be left, and cost money:\n  " + "\n  ".join(self.kept))

    def plan_teardown(self, folder: Path, *, aws: bool, stage: str) -> Any:
        assert (aws, stage) == (not self.emulated, "verify")
        return SimpleNamespace(
            stack="andamio-heart--verify",
            inventory=SimpleNamespace(stack=object() if self.stack else None),
            retained_resources=lambda *, earlier: list(self.kept) if "delete" in self.done else [],
        )

    def target(self, *, aws: bool) -> Target:
        account: Any = SimpleNamespace(
            stack_outputs=lambda stack: {} if self.bootstrapped else None, has_role=lambda name: self.ecs
        )
        recorded = {"cloud": "c", "emulator": "ministack"} if self.emulated else None
        return Target(account, ACCOUNT, "eu-west-1", {}, recorded)


def raises(error: BaseException) -> Callable[[], object]:
    def do() -> None:
        raise error

    return do


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    monkeypatch.setattr(run, "target", made.target)
    monkeypatch.setattr(teardown, "plan_teardown", made.plan_teardown)
    monkeypatch.setattr(teardown, "destroy", made.destroy)
    real = steps.steps
    monkeypatch.setattr(
        steps, "steps", lambda where: [Step(step.name, made.do(step.name), step.needs) for step in real(where)]
    )
    monkeypatch.setattr(steps, "SUITE", tmp_path / "no-suite")
    monkeypatch.setattr(vpcs, "full", lambda account: "")
    return made


def verify(monkeypatch: pytest.MonkeyPatch, *more: str, said: str | None = None) -> int:
    """Run `andamio verify --aws`; `said` is what is typed when it asks."""
    monkeypatch.setattr(sys, "argv", ["andamio", "verify", "--aws", *more])
    monkeypatch.setattr(sys, "stdin", io.StringIO("" if said is None else f"{said}\n"))
    with pytest.raises(SystemExit) as leave:
        main.main()
    return int(leave.value.code or 0)


def report() -> str:
    return (home.home() / "verify-report.md").read_text()


ALL = ["deploy", "ingest", "train", "predict", "explain", "batch", "lookup"]


def test_all_works_all_is_deleted_and_commands_act_on_what_they_acted_on(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs.write(LAST)
    world.fails["ingest"] = lambda: outputs.write({**LAST, "system": "heart--verify"})
    assert verify(monkeypatch, "--yes") == 0
    assert world.done == [*ALL, "delete"]
    assert outputs.last_deployed() == LAST
    assert "**Everything works.** Nothing is left." in report()
    assert report().count("| works |") == len(ALL) + 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.index("SageMaker MLflow app") < said.index("─ deploy ─"), "first what is created"
    assert "AWS charges less than $" in said
    assert "in AWS account 210987654321, eu-west-1" in said


def test_an_account_without_the_role_of_ecs_is_told_before_anything_is_created(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ecs = False
    assert verify(monkeypatch, "--yes") == 1
    assert world.done == []
    assert "aws iam create-service-linked-role" in " ".join(capsys.readouterr().err.split())


def test_after_a_failed_deploy_the_deletion_runs_and_nothing_else_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fails["deploy"] = raises(ToolError("cdk deploy failed:\n  role/x in 210987654321 is not authorized"))
    assert verify(monkeypatch, "--yes") == 1
    assert world.done == ["deploy", "delete"]
    assert "role/x in HIDDEN is not authorized" in report()
    assert report().count("| skipped |") == len(ALL) - 1
    assert "It needs 'deploy', which does not work." in report()


def test_what_does_not_need_a_failed_step_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fails |= {"predict": raises(ServiceError("answered 500")), "batch": raises(ValueError("a bug"))}
    assert verify(monkeypatch, "--yes") == 1
    assert world.done == [*ALL[:-1], "delete"]
    assert "answered 500\nerror code: " in report()
    assert "ValueError: a bug" in report()
    assert "Traceback" in report(), "a bug report needs it"


def test_what_is_left_is_listed_with_how_to_delete_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.kept = ["bucket andamio-heart--verify-lake-1a2b"]
    assert verify(monkeypatch, "--yes") == 1
    assert "Something is left, or may be: see below." in report()
    left = report()[report().index("## Left") :]
    assert "bucket andamio-heart--verify-lake-1a2b" in left
    assert "andamio destroy --aws --everything --stage verify --problem" in left
    assert "left: bucket andamio-heart--verify-lake-1a2b" in capsys.readouterr().err


@pytest.mark.parametrize(
    "stop", [raises(KeyboardInterrupt()), lambda: os.kill(os.getpid(), signal.SIGTERM)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stop_in_the_middle_deletes_what_was_created(
    world: World, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], object]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    world.fails["ingest"] = stop
    assert verify(monkeypatch, "--yes") == 130
    assert world.done == ["deploy", "ingest", "delete"]
    assert not world.stack
    assert "| ingest | stopped |" in report()
    assert "Nothing is left." in report()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_between_two_steps_deletes_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(text: str) -> None:
        if text == "deploy works":
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "done", told)
    assert verify(monkeypatch, "--yes") == 130
    assert world.done == ["deploy", "delete"]
    assert "| steps | stopped |" in report()


def test_a_stop_while_it_deletes_says_what_is_left_and_how_to_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fails["delete"] = raises(KeyboardInterrupt())
    assert verify(monkeypatch, "--yes") == 130
    assert "| delete | stopped |" in report()
    assert "stack andamio-heart--verify" in report()
    assert "andamio destroy --aws --everything --stage verify" in capsys.readouterr().err


def test_where_it_cannot_be_read_what_is_left_that_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> None:
        raise AwsError("cloudformation:ListStacks is refused")

    world.fails["lookup"] = lambda: monkeypatch.setattr(teardown, "plan_teardown", unreadable)
    assert verify(monkeypatch, "--yes") == 1
    assert "It could not be read what is left: cloudformation:ListStacks is refused" in report()


def test_a_stage_that_is_in_use_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack = True
    assert verify(monkeypatch, "--yes") == 1
    assert world.done == []
    said = " ".join(capsys.readouterr().err.split())
    assert "There is a stack andamio-heart--verify" in said
    assert "andamio destroy --aws --everything --stage verify" in said


def test_an_account_without_the_cdks_stack_is_told_before_anything_is_created(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.bootstrapped = False
    assert verify(monkeypatch, "--yes") == 1
    assert world.done == []
    assert f"cdk bootstrap aws://{ACCOUNT}/eu-west-1" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("answer", "code"), [("n", 130), (None, 1)])
def test_without_a_yes_nothing_is_created(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str | None, code: int
) -> None:
    assert verify(monkeypatch, said=answer) == code
    assert world.done == []


def test_with_a_yes_it_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(monkeypatch, said="y") == 0
    assert world.done == [*ALL, "delete"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:x:y", "arn:aws:states:eu-west-1:ACCOUNT:execution:x:y"),
        ("https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1", "https://API.execute-api.eu-west-1.amazonaws.com/v1"),
        ("the key AKIAIOSFODNN7EXAMPLE is not valid", "the key KEY-ID is not valid"),
        (
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/Admin/jane@example.com is not authorized",
            "User: arn:aws:sts::ACCOUNT:assumed-role/Admin/HIDDEN is not authorized",
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/staff/jane.doe.", "arn:aws:iam::ACCOUNT:user/HIDDEN."),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/jane, and", "arn:aws:sts::ACCOUNT:federated-user/HIDDEN, and"),
        ("AROAIOSFODNN7EXAMPLE:jane@example.com", "KEY-ID"),
        ("?X-Amz-Signature=abc123&X-Amz-Date=1", "?X-Amz-Signature=HIDDEN&X-Amz-Date=1"),
        ("x-api-key: abc123 was sent", "x-api-key: HIDDEN was sent"),
        ("http://user:pass@mlflow.example", "http://HIDDEN@mlflow.example"),
        (f"{home.REPO}/andamio/step.py", "./andamio/step.py"),
        (f"{Path.home()}/.aws/config", "~/.aws/config"),
        ("20261127T100000-ab, 303 rows, 1234567890123 bytes", "20261127T100000-ab, 303 rows, 1234567890123 bytes"),
    ],
)  # fmt: skip
def test_nothing_secret_is_in_a_report(text: str, shown: str) -> None:
    assert hidden(text) == shown


def test_where_the_home_folder_is_the_root_the_path_of_the_clone_is_hidden_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/")
    assert hidden(f"{home.REPO}/andamio/step.py, /etc/hosts") == "./andamio/step.py, /etc/hosts"


def test_the_api_key_is_hidden_wherever_it_is_quoted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fails["predict"] = raises(ServiceError(f"{KEY} is refused by account {ACCOUNT}"))
    assert verify(monkeypatch, "--yes") == 1
    assert KEY not in report()
    assert ACCOUNT not in report()


def test_the_conformance_suite_is_a_step_on_aws_where_it_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "no-suite").write_text("")
    assert verify(monkeypatch, "--yes") == 0
    assert world.done == [*ALL, "conformance", "delete"]
    world.emulated = True
    assert [step.name for step in steps.steps(world.target(aws=False))] == ALL, "make conformance runs it on emulators"


@pytest.mark.parametrize(("error", "code"), [(ToolError("1 failed"), 1), (KeyboardInterrupt(), 130)])
def test_what_a_conformance_suite_that_did_not_end_well_may_have_left_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, code: int
) -> None:
    (tmp_path / "no-suite").write_text("")
    world.fails["conformance"] = raises(error)
    assert verify(monkeypatch, "--yes") == code
    left = report()[report().index("## Left") :]
    assert "names that begin with andamio-conf-" in left
    assert "conformance.log" in left


def test_a_conformance_suite_that_did_not_run_left_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "no-suite").write_text("")
    world.fails["lookup"] = raises(KeyboardInterrupt())
    assert verify(monkeypatch, "--yes") == 130
    assert "Nothing is left." in report()


def test_the_names_of_the_conformance_suite_begin_as_the_report_says() -> None:
    assert steps.SUITE_PREFIX == PREFIX


def test_what_stays_on_an_mlflow_server_of_ones_own_is_said_before_and_after(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "The runs and the registered model stay on the MLflow server that tracking_uri names."
    assert verify(monkeypatch, "--yes", "--context", "tracking_uri=https://me:secret@mlflow.example") == 0
    assert sentence in report()
    said = capsys.readouterr().err
    assert " ".join(said.split()).count(sentence) == 2
    assert "secret" not in said + report()
    assert "SageMaker MLflow app" not in said
    assert verify(monkeypatch, "--yes") == 0
    assert sentence not in report()
