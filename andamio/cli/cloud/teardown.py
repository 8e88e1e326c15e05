"""Deletion of a stack and, when requested, of the resources that AWS retains."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import typer

from andamio import names
from andamio.adapters.aws import Account
from andamio.adapters.inventory import Inventory, OwnedResource, bootstrap, inventory
from andamio.adapters.retained import BUCKET, KEY, RetainedResources
from andamio.adapters.running import Running
from andamio.adapters.stacks import Stack, Stacks
from andamio.cli.cloud import outputs
from andamio.cli.cloud.target import Target, stage_of, system_of, target
from andamio.cli.console import done, note, step
from andamio.contract import Contract
from andamio.errors import AwsError, CommandError, UsageError


@dataclass(frozen=True, slots=True)
class ResourceState:
    """A resource of a system and its state.

    state   "there", "" when it is gone, or a phrase about its pending deletion
    error   why the state could not be read; "" when it was
    """

    item: OwnedResource
    state: str
    error: str = ""

    def __str__(self) -> str:
        """A phrase for messages."""
        return f"{self.item} ({self.error})" if self.error else str(self.item)


@dataclass(frozen=True, slots=True)
class Teardown:
    """A system to delete, and the resources of its current and earlier stacks."""

    folder: Path
    stage: str
    system: str
    where: Target
    inventory: Inventory = field(repr=False)

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return names.stack(self.system)

    def retained_resources(self, *, earlier: bool) -> list[ResourceState]:
        """Existing resources, and those whose state is unknown, of the current stack or of earlier stacks."""
        retained = RetainedResources(self.where.account)
        states = [_resource_state(retained, item) for item in self.inventory.items if item.earlier == earlier]
        return [state for state in states if state.state == "there" or state.error]


def plan_teardown(folder: Path, *, aws: bool, stage: str | None) -> Teardown:
    """The system and resources that a destroy concerns; raises `CommandError` when the target cannot be reached."""
    stage = stage_of(stage, local=not aws)
    problem = Contract.load(folder).problem.name
    system = system_of(problem, stage)
    where = target(aws=aws)
    found = inventory(where.account, names.stack(system), names.tags(problem, stage), names.resource(system, "mlflow"))
    return Teardown(folder, stage, system, where, found)


def answer_of[Answer](question: Callable[[], Answer]) -> Answer:
    """The answer to a question; raises `UsageError` when standard input has ended, as in a pipeline."""
    try:
        return question()
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("No answer on standard input. Nothing was changed. To skip the question: --yes") from None


def confirm(system: Teardown, *, everything: bool, earlier: bool) -> bool:
    """Ask before a stack is deleted; returns whether resources of earlier stacks are removed too.

    Before data on AWS are removed, the name of the system must be typed. Raises `typer.Abort` when the answer is no,
    and `UsageError` for another name or no answer.
    """
    name, local_ = system.system, system.where.local
    if not everything or local_:
        what = "with its data" if local_ else "(its data are retained)"
        if not answer_of(lambda: typer.confirm(f"Destroy the stack of {name} {system.where} {what}?")):
            raise typer.Abort
        return earlier
    old = system.retained_resources(earlier=True)
    for resource in [*system.retained_resources(earlier=False), *(old if earlier else [])]:
        note(f"  {resource}")
    question = f"All of this is deleted {system.where} and cannot be restored. Type {name} to continue"
    answer = str(answer_of(lambda: typer.prompt(question)))
    if answer.strip() != name:
        raise UsageError(f"Expected '{name}', got '{answer.strip()[:40]}'. Nothing was changed.")
    if earlier or not old:
        return earlier
    note("Retained by earlier stacks of this name:")
    for resource in old:
        note(f"  {resource}")
    answer = typer.prompt(
        f"Remove these resources too? Type {name} again to remove them, or Enter to keep them", default=""
    )
    return str(answer).strip() == name


def destroy(system: Teardown, *, everything: bool, earlier: bool) -> None:
    """Delete the stack; its data are deleted locally, and on AWS only with `everything`.

    On AWS the executions and tasks of the stack are stopped before it is deleted. `earlier` includes resources
    retained by earlier stacks of the same name. Raises `CommandError` when the
    stack cannot be deleted (then no retained resource is touched), or when a resource could not be removed.
    """
    where, stack = system.where, system.inventory.stack
    if where.local:
        # An emulator deletes the bucket of a stack only when it is empty.
        for resource in system.retained_resources(earlier=False):
            if resource.item.resource.kind == BUCKET and not resource.error:
                where.account.empty(resource.item.resource.name)
    if stack is None:
        note(f"There is no stack {system.stack} {where}.")
    else:
        if not where.local:
            _stop_running(where.account, stack)
        # By CloudFormation and not by the CDK: a synth is not needed, and may fail.
        with step(f"Deleting {system.stack}") as status:
            Stacks(where.account).delete(stack, lambda at: status.update(f"Deleting {system.stack}: {at}"))
        done(f"Deleted {system.stack}")
    outputs.forget(where.name, system.system)
    if everything:
        _remove_all(system, earlier=earlier or where.local)
    elif not where.local:
        _note_retained(system)


def _stop_running(account: Account, stack: Stack) -> None:
    """Stop what runs: AWS deletes no cluster with tasks in it, and a task goes on and costs money without its stack."""
    with step(f"Stopping what runs in {stack.name}") as status:
        problems = Running(account, Stacks(account).members(stack.id)).stop(
            lambda at: status.update(f"Stopping what runs in {stack.name}: {at}")
        )
    for problem in problems:
        note(f"{problem}.")


def _resource_state(retained: RetainedResources, item: OwnedResource) -> ResourceState:
    try:
        return ResourceState(item, retained.state(item.resource))
    except CommandError as error:
        return ResourceState(item, "", str(error))


def _remove_all(system: Teardown, *, earlier: bool) -> None:
    retained, leftovers = RetainedResources(system.where.account), []
    items = [item for item in system.inventory.items if earlier or not item.earlier]
    for item in items:
        # A KMS key is deleted with its stack, after a waiting time.
        if item.resource.kind == KEY:
            continue
        try:
            if not retained.state(item.resource):
                continue
            with step(f"Removing {item}"):
                retained.remove(item.resource)
            done(f"Removed {item}")
        except CommandError as error:
            leftovers.append(f"{error}\n    {item.resource.removal_command}")
    for item in items:
        if item.resource.kind != KEY:
            continue
        state = _resource_state(retained, item)
        if state.error or state.state == "there":
            text = state.error or f"{item} is still there, and costs about $1 a month"
            leftovers.append(f"{text}\n    {item.resource.removal_command}")
        elif state.state:
            note(f"{item.resource} {state.state}.")
    if system.where.local:
        note("MLflow keeps its runs on the local cloud. To delete them: andamio down --purge")
    else:
        _note_cdk_buckets(system)
    earlier_resources = [] if earlier else system.retained_resources(earlier=True)
    if earlier_resources:
        _note_earlier(system, earlier_resources)
    if system.inventory.search_errors:
        leftovers.append(system.inventory.search_errors)
    if leftovers:
        raise AwsError("These resources may be left, and cost money:\n" + "\n".join(f"  {line}" for line in leftovers))
    more = " except resources retained by earlier stacks" if earlier_resources else ""
    done(f"Nothing of {system.system} is left {system.where}{more}.")


def _note_cdk_buckets(system: Teardown) -> None:
    """Mention the bucket of the CDK, which all CDK apps of the account share."""
    try:
        buckets = bootstrap(system.where.account)
    except CommandError as error:
        note(f"The CDK bucket could not be read: {error}")
        return
    for bucket in buckets:
        note(
            f"The CDK {bucket} holds the bundles of all CDK apps of this account and region, and its storage costs "
            "money. "
            "When no app is left, empty it in the S3 console and delete the stack: "
            "aws cloudformation delete-stack --stack-name CDKToolkit"
        )


def _note_retained(system: Teardown) -> None:
    """List the resources that AWS retains, and the command that removes them."""
    resources = [item for item in system.retained_resources(earlier=False) if item.item.resource.kind != KEY]
    if resources:
        note("Retained with all data, which costs money:")
        for item in resources:
            note(f"  {item}")
        note(f"To remove these too: {_command(system)} --everything")
    earlier_resources = system.retained_resources(earlier=True)
    if earlier_resources:
        _note_earlier(system, earlier_resources)
    if system.inventory.search_errors:
        note(f"{system.inventory.search_errors}.")


def _note_earlier(system: Teardown, earlier_resources: list[ResourceState]) -> None:
    note("Retained by earlier stacks of this name, which costs money:")
    for item in earlier_resources:
        note(f"  {item}")
    note(f"To remove these too: {_command(system)} --everything --earlier")


def _command(system: Teardown) -> str:
    staged = f" --stage {system.stage}" if system.stage not in ("", names.DEFAULT_STAGE) else ""
    return f"andamio destroy --aws --problem {system.folder}{staged}"
