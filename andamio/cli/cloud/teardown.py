"""Taking a stack down, and with it, when asked, everything that AWS would keep."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import typer

from andamio import names
from andamio.adapters.inventory import Inventory, OwnedResource, bootstrap, inventory
from andamio.adapters.retained import BUCKET, KEY, RetainedResources
from andamio.adapters.stacks import Stacks
from andamio.cli.cloud import outputs
from andamio.cli.cloud.target import Target, stage_of, system_of, target
from andamio.cli.console import done, note, step
from andamio.contract import Contract
from andamio.errors import CommandError


@dataclass(frozen=True, slots=True)
class ResourceState:
    """Something that a system has in an account, and what there is of it.

    state   "there", "" for nothing (any more), or a sentence about what becomes of it
    unseen  why it could not be looked at; "" where it could
    """

    item: OwnedResource
    state: str
    error: str = ""

    def __str__(self) -> str:
        """As people say it."""
        return f"{self.item} ({self.error})" if self.error else str(self.item)


@dataclass(frozen=True, slots=True)
class Teardown:
    """A system that is about to be taken down, and what its stacks have left or may leave."""

    folder: Path
    stage: str
    system: str
    where: Target
    inventory: Inventory = field(repr=False)

    @property
    def stack(self) -> str:
        """Its stack."""
        return names.stack(self.system)

    def retained_resources(self, *, earlier: bool) -> list[ResourceState]:
        """What is there now, or may be: of the current stack, or what earlier ones have kept."""
        retained = RetainedResources(self.where.account)
        states = [_resource_state(retained, item) for item in self.inventory.items if item.earlier == earlier]
        return [state for state in states if state.state == "there" or state.error]


def plan_teardown(folder: Path, *, aws: bool, stage: str | None) -> Teardown:
    """What a destroy is about; raises `CommandError` where the place cannot be reached."""
    stage = stage_of(stage, local=not aws)
    problem = Contract.load(folder).problem.name
    system = system_of(problem, stage)
    where = target(aws=aws)
    found = inventory(where.account, names.stack(system), names.tags(problem, stage), names.resource(system, "mlflow"))
    return Teardown(folder, stage, system, where, found)


def _answer[Answer](question: Callable[[], Answer]) -> Answer:
    """The answer to a question; raises `CommandError` where input has ended before it, as it has in a pipeline."""
    try:
        return question()
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise CommandError("Nobody answered, and nothing was done. To go on without a question: --yes") from None


def confirm(system: Teardown, *, everything: bool, earlier: bool) -> bool:
    """Ask before a stack goes, by its name before data go from AWS; says whether what earlier stacks kept goes too.

    That is a question of its own unless `earlier` is asked for. Raises `typer.Abort` where the answer is no, and
    `CommandError` for another name, or where nobody answers.
    """
    name, local_ = system.system, system.where.local
    if not everything or local_:
        what = "with its data" if local_ else "(its data are kept)"
        if not _answer(lambda: typer.confirm(f"Destroy the stack of {name} {system.where} {what}?")):
            raise typer.Abort
        return earlier
    old = system.retained_resources(earlier=True)
    for resource in [*system.retained_resources(earlier=False), *(old if earlier else [])]:
        note(f"  {resource}")
    question = f"All of this goes, {system.where}, and cannot be brought back. Type {name} to go on"
    answer = str(_answer(lambda: typer.prompt(question)))
    if answer.strip() != name:
        raise CommandError(f"Expected '{name}', got '{answer.strip()[:40]}'. Nothing was done.")
    if earlier or not old:
        return earlier
    note("Kept by earlier stacks of this name:")
    for resource in old:
        note(f"  {resource}")
    answer = typer.prompt(f"Does that go too? Type {name} again to remove it, or Enter to keep it", default="")
    return str(answer).strip() == name


def destroy(system: Teardown, *, everything: bool, earlier: bool) -> None:
    """Take the stack down; locally its data go too, on AWS they are kept unless `everything` is to go.

    With `earlier` that includes what stacks of the same name kept before. Raises `CommandError` when the
    stack cannot be deleted (nothing that it keeps is touched then), or when something is left that was to go.
    """
    where, stack = system.where, system.inventory.stack
    if where.local:
        # An emulator deletes a bucket with its stack, as AWS would, only when it is empty.
        for resource in system.retained_resources(earlier=False):
            if resource.item.resource.kind == BUCKET and not resource.error:
                where.account.empty(resource.item.resource.name)
    if stack is None:
        note(f"There is no stack {system.stack} {where}.")
    else:
        # Through CloudFormation itself: a synth may refuse what is asked of a deploy, and has nothing to do here.
        with step(f"Deleting {system.stack}") as status:
            Stacks(where.account).delete(stack, lambda at: status.update(f"Deleting {system.stack}: {at}"))
        done(f"Deleted {system.stack}")
    outputs.forget(where.name, system.system)
    if everything:
        _remove_all(system, earlier=earlier or where.local)
    elif not where.local:
        _note_retained(system)


def _resource_state(retained: RetainedResources, item: OwnedResource) -> ResourceState:
    try:
        return ResourceState(item, retained.state(item.resource))
    except CommandError as error:
        return ResourceState(item, "", str(error))


def _remove_all(system: Teardown, *, earlier: bool) -> None:
    retained, leftovers = RetainedResources(system.where.account), []
    items = [item for item in system.inventory.items if earlier or not item.earlier]
    for item in items:
        # A key goes with its stack, after its waiting time.
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
        note("MLflow's runs are kept by the local cloud: andamio down --purge forgets it whole.")
    else:
        _note_cdk_buckets(system)
    earlier_resources = [] if earlier else system.retained_resources(earlier=True)
    if earlier_resources:
        _note_earlier(system, earlier_resources)
    if system.inventory.search_errors:
        leftovers.append(system.inventory.search_errors)
    if leftovers:
        raise CommandError("This is left or may be, and costs money:\n" + "\n".join(f"  {line}" for line in leftovers))
    more = " but what earlier stacks kept" if earlier_resources else ""
    done(f"Nothing of {system.system} is left {system.where}{more}.")


def _note_cdk_buckets(system: Teardown) -> None:
    """CDK's own stack, which is not this system's to remove."""
    try:
        buckets = bootstrap(system.where.account)
    except CommandError as error:
        note(f"Whether CDK's own bucket is there could not be looked at: {error}")
        return
    for bucket in buckets:
        note(
            f"CDK's {bucket} holds the bundles of every CDK app of this account and region, and costs what it stores. "
            "When no app is left, empty it in the S3 console and delete the stack: "
            "aws cloudformation delete-stack --stack-name CDKToolkit"
        )


def _note_retained(system: Teardown) -> None:
    """On AWS data outlive their stack: what is kept, and how it goes."""
    resources = [item for item in system.retained_resources(earlier=False) if item.item.resource.kind != KEY]
    if resources:
        note("Kept with all data, and it costs money as long as it is there:")
        for item in resources:
            note(f"  {item}")
        note(f"To remove that too: {_command(system)} --everything")
    earlier_resources = system.retained_resources(earlier=True)
    if earlier_resources:
        _note_earlier(system, earlier_resources)
    if system.inventory.search_errors:
        note(f"{system.inventory.search_errors}.")


def _note_earlier(system: Teardown, earlier_resources: list[ResourceState]) -> None:
    note("Kept by earlier stacks of this name, and it costs money as long as it is there:")
    for item in earlier_resources:
        note(f"  {item}")
    note(f"To remove that too: {_command(system)} --everything --earlier")


def _command(system: Teardown) -> str:
    staged = f" --stage {system.stage}" if system.stage not in ("", names.DEFAULT_STAGE) else ""
    return f"andamio destroy --aws --problem {system.folder}{staged}"
