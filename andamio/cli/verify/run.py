"""The command: announce, ask, run the steps, take down whatever happened, list what is left, write the report."""

from __future__ import annotations

import shutil
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from andamio.adapters import vpcs
from andamio.cli.cloud import outputs, teardown
from andamio.cli.cloud.deployment import require_role_of_ecs
from andamio.cli.cloud.target import Target, system_of, target
from andamio.cli.console import done, err, fail, note
from andamio.cli.home import home
from andamio.cli.models.sample import sample_files
from andamio.cli.verify import steps as each
from andamio.cli.verify.announcement import announcement, created, kept
from andamio.cli.verify.report import Outcome, Report, Result
from andamio.cli.verify.steps import STAGE, Step, Verification
from andamio.contract import Contract
from andamio.errors import AccountError, AndamioError, CommandError, ExecutionFailed, UsageError

FILE = "verify-report.md"
_STOPPED = 130
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def verify(folder: Path, *, aws: bool, context: list[str], yes: bool) -> None:
    """Use the whole system once in the stage `verify` and delete it; the report is in `.andamio/verify-report.md`.

    Raises `CommandError` before anything is created where it cannot begin, `ExecutionFailed` at the end where a step
    does not work or something is left, and `SystemExit` with 130 where it was stopped.
    """
    contract = Contract.load(folder)
    sample_files(folder, contract)
    where = target(aws=aws)
    system = system_of(contract.problem.name, STAGE)
    _require_free(folder, where)
    require_role_of_ecs(contract, where, context)
    _require_vpc(contract, where, context)
    for line in announcement(contract, system, where, context, conformance=each.has_suite(where)):
        note(line)
    if not yes and not teardown.answer_of(lambda: typer.confirm("Continue?")):
        raise typer.Abort
    last = outputs.last_deployed()
    begun = datetime.now(UTC)
    it = Verification(folder, contract, where, context)
    outcomes: list[Outcome] = []
    with _signals():
        try:
            _run(it, each.steps(where), outcomes)
        except BaseException as error:
            # Between two steps, or while one is told: what was created is deleted all the same.
            outcomes.append(Outcome("steps", "stopped", 0.0, f"Stopped between two steps: {error!r}"))
        outcomes.append(_take_down(it))
        left = [*_left(it), *_left_by_suite(outcomes)]
    _restore(last)
    shutil.rmtree(home() / "verify", ignore_errors=True)
    secrets = (where.number, str(it.deployed.get("api_key", "")))
    _conclude(Report(contract.problem.name, _place(where), begun, outcomes, left, secrets, kept(context)))


def _require_free(folder: Path, where: Target) -> None:
    """Raise `CommandError` unless the stage is free, and the account ready for the CDK."""
    planned = teardown.plan_teardown(folder, aws=not where.local, stage=STAGE)
    if planned.inventory.stack is not None:
        raise UsageError(
            f"There is a stack {planned.stack} {where} already. Everything in the stage '{STAGE}' is deleted at the "
            "end of a verification, so it must be free. If an earlier one was broken off, delete what it left: "
            f"{_destroy(folder, where)}"
        )
    # On AWS their deletion asks for a name to be typed, and a deploy that makes no stack would leave them to `delete`.
    kept = [] if where.local else planned.retained_resources(earlier=False)
    if kept:
        raise UsageError(
            f"An earlier stack {planned.stack} kept resources {where}, which the end of a verification could delete:\n"
            + "".join(f"  {resource}\n" for resource in kept)
            + f"Nothing was changed. If you do not need them, delete them first: {_destroy(folder, where)}"
        )
    if not where.local and where.account.stack_outputs("CDKToolkit") is None:
        raise AccountError(
            f"The CDK needs its own stack {where}, once. Create it: (cd .andamio && ../.venv/bin/node "
            f"../node_modules/aws-cdk/bin/cdk bootstrap aws://{where.number}/{where.region})"
        )


def _require_vpc(contract: Contract, where: Target, context: list[str]) -> None:
    """Raise `AccountError` where the stack makes a VPC and AWS would refuse one more."""
    if where.local or "AWS::EC2::VPC" not in created(contract, where, context):
        return
    if there := vpcs.full(where.account):
        raise AccountError(
            f"The stack makes a VPC, and there are {there} {where}. Delete one that you do not need, ask for a higher "
            'quota (Service Quotas, L-F678F1CE), use another region, or set "[training] compute" = "function", which '
            "makes none."
        )


def _run(it: Verification, steps: Sequence[Step], outcomes: list[Outcome]) -> None:
    """Add the outcome of each step; one that is stopped ends them."""
    for step in steps:
        results: dict[str, str] = {outcome.name: outcome.result for outcome in outcomes}
        if "stopped" in results.values():
            outcomes.append(Outcome(step.name, "skipped", 0.0, "The verification was stopped."))
        elif lacking := each.blocked(step, results):
            outcomes.append(Outcome(step.name, "skipped", 0.0, f"It needs '{lacking}', which does not work."))
        else:
            err.rule(f"[bold]{escape(step.name)}")
            outcomes.append(_outcome(step.name, lambda step=step: step.do(it)))


def _outcome(name: str, do: Any) -> Outcome:
    """What becomes of one step; nothing that it raises gets past here."""
    begun = time.monotonic()
    result: Result = "fails"
    try:
        message = do()
        result = "works"
    except KeyboardInterrupt:
        result, message = "stopped", "Stopped by Ctrl-C or a signal."
    except SystemExit as stop:
        result, message = "stopped", f"A program of the local cloud ended with code {stop.code}."
    except AndamioError as error:
        message = f"{error}\nerror code: {error.code}"
    except Exception:
        message = traceback.format_exc()
    if result == "works":
        done(f"{name} works")
    else:
        fail(f"{name}: {message}")
    return Outcome(name, result, time.monotonic() - begun, message)


def _take_down(it: Verification) -> Outcome:
    """Delete the system with its data, and say so."""
    err.rule("[bold]delete")

    def delete() -> str:
        system = teardown.plan_teardown(it.folder, aws=not it.where.local, stage=STAGE)
        teardown.destroy(system, everything=True, earlier=False)
        return ""

    note("Deleting everything that was created. Please let it finish.")
    return _outcome("delete", delete)


def _left(it: Verification) -> list[str]:
    """What is there of the system now, with how to delete it; empty when nothing is."""
    how = f"To delete it: {_destroy(it.folder, it.where)}"
    try:
        found = teardown.plan_teardown(it.folder, aws=not it.where.local, stage=STAGE)
        stack = [f"stack {found.stack}"] if found.inventory.stack is not None else []
        resources = [f"{state}" for state in found.retained_resources(earlier=False)]
    except (CommandError, KeyboardInterrupt) as error:
        return [f"It could not be read what is left: {error or 'stopped'}", how]
    return [*stack, *resources, how] if stack or resources else []


def _left_by_suite(outcomes: Sequence[Outcome]) -> list[str]:
    """What the conformance suite may have left; empty where it did not run, or ended well."""
    results = {outcome.name: outcome.result for outcome in outcomes}
    if results.get("conformance", "skipped") in ("works", "skipped"):
        return []
    return [
        "Perhaps: what the conformance suite did not delete, with names that begin with "
        f"{each.SUITE_PREFIX}. Its log names what could not be deleted: {home() / 'logs' / 'conformance.log'}"
    ]


def _conclude(report: Report) -> None:
    """Write the report and end as it says; raises `ExecutionFailed` or `SystemExit`."""
    file = home() / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.text(), encoding="utf-8")
    err.rule("[bold]verify")
    for outcome in report.outcomes:
        err.print(f"  {outcome.name:<12} {outcome.result:<8} {outcome.seconds:7.1f} s")
    for line in report.left:
        note(f"  left: {line}")
    for line in report.kept:
        note(line)
    done(f"The report, to be pasted into an issue: {file}")
    if any(outcome.result == "stopped" for outcome in report.outcomes):
        note("Stopped." + ("" if report.left else " Nothing is left."))
        raise SystemExit(_STOPPED)
    if report.failed or report.left:
        what = f"These steps do not work: {', '.join(report.failed)}." if report.failed else "Something is left."
        raise ExecutionFailed(f"{what} The report says why: {file}")


def _restore(last: dict[str, Any] | None) -> None:
    """Let commands act on the system that they acted on before."""
    if last is not None and outputs.read(outputs.target(last), last["system"]) is not None:
        outputs.write(last)


def _place(where: Target) -> str:
    if where.recorded is not None:
        return f"local cloud, {where.recorded.get('emulator', 'ministack')}, {where.region}"
    return f"AWS, {where.region}"


def _destroy(folder: Path, where: Target) -> str:
    aws = "" if where.local else "--aws --everything "
    return f"andamio destroy {aws}--stage {STAGE} --problem {folder}"


@contextmanager
def _signals() -> Iterator[None]:
    """A kill or a closed terminal stops as Ctrl-C does: what was created is deleted."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
