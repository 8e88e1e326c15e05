"""Faults that AWS would refuse and every emulator took: each is put back into a copy of the project, and is found.

A fault is a text that takes the place of another one in a file. The check that is named for it, a part of `make check`
or a test, must then fail, and must say what is wrong. A part of `make check` names all that it finds, so that one run
of it is for all of its faults.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra import REPOSITORY

ASL, PROOF = ("-m", "infra.asl"), ("-m", "infra.proof")
SHARED = (".venv", "node_modules")
COPIED = (
    "andamio",
    "etl",
    "training",
    "registry",
    "scoring",
    "monitoring",
    "lambdas",
    "infra",
    "stepfunctions",
    "localstack",
    "problems",
    "tests",
    "docs",
)
BEING_WRITTEN = shutil.ignore_patterns("*.pyc.*")
"""Bytecode that another process of the tests writes. The rest is copied: a file with a fault is newer than its own."""
FILES = ("pyproject.toml", "uv.lock", "cdk.json", "package.json", "package-lock.json")


def pytest_of(file: str, only: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", file, "-k", only)


@dataclass(frozen=True)
class Fault:
    """`now` is replaced by `then` in a file; `check` must fail and its output hold `said`."""

    file: str
    now: str
    then: str
    check: tuple[str, ...]
    said: str


FAULTS = {
    "a state's name stands in two Maps": Fault(
        "stepfunctions/batch.asl.json", '"Give up shard"', '"Give up chunk"', ASL, "Give up chunk"
    ),
    "training may not list the versions of its runs": Fault(
        "infra/permissions.py",
        "listed with their versions.\n        listing(to.models, versions=True)",
        "listed with their versions.\n        listing(to.models)",
        PROOF,
        "TrainFunctionRole may not s3:ListBucketVersions on Models",
    ),
    "a machine may not hand a task the role that it starts under": Fault(
        "infra/constructs/tasks.py",
        "(self._role.role_arn, self._start_role.role_arn)",
        "(self._role.role_arn,)",
        PROOF,
        "TrainMachineRole may not iam:PassRole on TasksStartRole",
    ),
    "a task may not write its results": Fault(
        "infra/permissions.py",
        "objects(to.models, READ_WRITE, layout.RUNS),\n    ]\n\n\ndef search",
        "objects(to.models, READ, layout.RUNS),\n    ]\n\n\ndef search",
        PROOF,
        "TasksRole may not s3:PutObject on Models/runs/",
    ),
    "a machine may not tell its subscribers": Fault(
        "infra/constructs/scoring.py",
        'Permission(("sns:Publish",), (self.topic.topic_arn,)),',
        "",
        PROOF,
        "ScoringMachineRole may not sns:Publish on ScoringTopic",
    ),
    "a permission that nothing needs": Fault(
        "infra/permissions.py",
        'objects(to.lake, ["s3:PutObject"], layout.QUARANTINE)',
        'objects(to.lake, ["s3:PutObject", "s3:DeleteObject"], layout.QUARANTINE)',
        PROOF,
        "EtlFunctionRole may s3:DeleteObject on Lake/quarantine/*, which nothing is seen to need",
    ),
    "alarms may not use the key of the topic that they ring on": Fault(
        "infra/constructs/alerts.py",
        '                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),\n',
        "",
        PROOF,
        "cloudwatch.amazonaws.com may not kms:GenerateDataKey on AlertsKey",
    ),
    "another account or region is taken for the same": Fault(
        "andamio/cli/cloud/outputs.py",
        'return LOCAL if local else f"{account}-{region}"',
        'return LOCAL if local else "aws"',
        pytest_of("tests/unit/cli/test_deploying.py", "another_region_or_account"),
        "another_region_or_account",
    ),
    "a first deploy that fails leaves its buckets": Fault(
        "infra/stacks/problem.py",
        "RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE",
        "RemovalPolicy.RETAIN",
        pytest_of("tests/infra/test_switches.py", "outlive_their_stack"),
        "RetainExceptOnCreate",
    ),
    "symbols stay in the libraries of a bundle": Fault(
        "infra/packing/slimming.py",
        "cut = elf.without_symbols(body)",
        "cut = body if elf else b''",
        pytest_of("tests/infra/test_slimming.py", "lose_their_symbols"),
        "lose_their_symbols",
    ),
    "lines of the access log run into one": Fault(
        "infra/constructs/access_log.py",
        'json.dumps(FIELDS) + "\\n"',
        "json.dumps(FIELDS)",
        pytest_of("tests/infra/test_routes.py", "access_log_ends"),
        "access_log_ends",
    ),
    "a throttled call is given up after a minute": Fault(
        "stepfunctions/policies.json", '"MaxAttempts": 30', '"MaxAttempts": 6', ASL, "TooManyRequests"
    ),
    "more run at once than a new account lets": Fault(
        "infra/options.py",
        "DEFAULT_WORKERS = 2",
        "DEFAULT_WORKERS = 8",
        pytest_of("tests/infra/test_machines.py", "leave_room_for_the_api"),
        "leave_room_for_the_api",
    ),
    "a partition is written out": Fault(
        "stepfunctions/batch.asl.json", "arn:${Partition}:states:::sns", "arn:aws:states:::sns", ASL, "arn:aws:"
    ),
    "a boto3 without conditional writes is taken": Fault(
        "andamio/adapters/sdk.py",
        "OLDEST = (1, 35, 69)",
        "OLDEST = (1, 34, 0)",
        pytest_of("tests/unit/core/test_sdk.py", "older"),
        "older",
    ),
    "a function has a dead-letter queue that nothing fills": Fault(
        "infra/constructs/function.py",
        "            log_group=group,\n",
        "            log_group=group,\n            dead_letter_queue_enabled=True,\n",
        pytest_of("tests/infra/test_everywhere.py", "dead_letter_queue"),
        "dead_letter_queue",
    ),
    "a cause is asked for where a timeout gives none": Fault(
        "stepfunctions/train.asl.json", '"Next": "HasCause"', '"Next": "Failed"', ASL, "Cause"
    ),
    "a task ends when its function does": Fault(
        "stepfunctions/train.asl.json", '"${TrainFunctionSeconds}"', "900", ASL, "TrainFunctionSeconds"
    ),
    "a role may be taken on behalf of any account": Fault(
        "infra/constructs/trust.py",
        '{"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, operator: {"aws:SourceArn": arn}}',
        "{}",
        pytest_of("tests/infra/test_trusts.py", "on_behalf_of"),
        "on_behalf_of",
    ),
    "API Gateway's own answers are its own affair": Fault(
        "infra/constructs/api_errors.py",
        "    for error in ERRORS:\n",
        "    for error in ERRORS[:0]:\n",
        pytest_of("tests/infra/test_routes.py", "gateway_answers_itself"),
        "gateway_answers_itself",
    ),
    "a browser cannot use the upload form": Fault(
        "infra/stacks/problem.py",
        "origins=[ANY_ORIGIN],",
        "",
        pytest_of("tests/infra/test_switches.py", "page or form or origin or browser"),
        "CorsConfiguration",
    ),
    "nobody is asked before permissions grow": Fault(
        "cdk.json",
        '"output": "cdk.out"',
        '"requireApproval": "never", "output": "cdk.out"',
        pytest_of("tests/infra/test_switches.py", "approval or asks or broaden"),
        "requireApproval",
    ),
    "a trial may have every request": Fault(
        "andamio/contract/tables.py",
        "    share: Annotated[float, Field(strict=True, gt=0, le=0.5)] =",
        "    share: Annotated[float, Field(strict=True, gt=0)] =",
        pytest_of("tests/unit/core/test_contract.py", "error_names_file"),
        "share",
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project, with the installed packages of this one."""
    copy = tmp_path_factory.mktemp("planted") / "project"
    copy.mkdir()
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, copy / name, ignore=BEING_WRITTEN)
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, copy / name)
    for name in SHARED:
        (copy / name).symlink_to(REPOSITORY / name)
    return copy


def run(project: Path, check: tuple[str, ...]) -> tuple[int, str]:
    """Run a check in the copy: its exit code, and what it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AWS_", "COV_"))}
    done = subprocess.run(
        [sys.executable, *check],
        cwd=project,
        env={**environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def planted(project: Path, faults: Iterable[Fault]) -> Iterator[None]:
    """The copy with these faults in it."""
    sound: dict[Path, str] = {}
    try:
        for fault in faults:
            file = project / fault.file
            text = file.read_text()
            sound.setdefault(file, text)
            assert fault.now in text, f"{fault.file} has changed: plant this fault in another way"
            file.write_text(text.replace(fault.now, fault.then))
        yield
    finally:
        for file, text in sound.items():
            file.write_text(text)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.check not in (ASL, PROOF)])
def test_a_planted_fault_is_found(project: Path, name: str) -> None:
    fault = FAULTS[name]
    with planted(project, [fault]):
        code, said = run(project, fault.check)
    assert code == 1, f"nothing was found:\n{said}"
    assert fault.said in said, said


@pytest.mark.parametrize("check", [ASL, PROOF], ids=["infra.asl", "infra.proof"])
def test_every_planted_fault_is_found_and_named(project: Path, check: tuple[str, ...]) -> None:
    faults = {name: fault for name, fault in FAULTS.items() if fault.check == check}
    with planted(project, faults.values()):
        code, said = run(project, check)
    assert code == 1, f"nothing was found:\n{said}"
    assert [name for name, fault in faults.items() if fault.said not in said] == [], said


@pytest.mark.parametrize("check", [ASL, PROOF], ids=["infra.asl", "infra.proof"])
def test_without_a_fault_nothing_is_found(project: Path, check: tuple[str, ...]) -> None:
    code, said = run(project, check)
    assert code == 0, said
    assert [fault.said for fault in FAULTS.values() if fault.check == check and fault.said in said] == []
