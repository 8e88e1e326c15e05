"""Taking a stack down, and with it, when asked, everything that AWS would keep."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import typer

from andamio import names
from andamio.adapters.belongings import Belonging, Belongings, belongings, bootstrap
from andamio.adapters.retained import BUCKET, KEY, Retained
from andamio.adapters.stacks import Stacks
from andamio.cli.cloud import outputs
from andamio.cli.cloud.target import Target, stage_of, system_of, target
from andamio.cli.console import done, note, step
from andamio.contract import Contract
from andamio.errors import CommandError


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that a system has in an account, and what there is of it.

    state   "there", "" for nothing (any more), or a sentence about what becomes of it
    unseen  why it could not be looked at; "" where it could
    """

    item: Belonging
    state: str
    unseen: str = ""

    def __str__(self) -> str:
        """As people say it."""
        return f"{self.item} ({self.unseen})" if self.unseen else str(self.item)


@dataclass(frozen=True, slots=True)
class Doomed:
    """A system that is about to be taken down, and what its stacks have left or may leave."""

    folder: Path
    stage: str
    system: str
    where: Target
    belongings: Belongings = field(repr=False)

    @property
    def stack(self) -> str:
        """Its stack."""
        return names.stack(self.system)

    def kept(self, *, earlier: bool) -> list[Kept]:
        """What is there now, or may be: of the current stack, or what earlier ones have kept."""
        retained = Retained(self.where.account)
        looked = [_look(retained, item) for item in self.belongings.items if item.earlier == earlier]
        return [kept for kept in looked if kept.state == "there" or kept.unseen]


def doomed(folder: Path, *, aws: bool, stage: str | None) -> Doomed:
    """What a destroy is about; raises `CommandError` where the place cannot be reached."""
    stage = stage_of(stage, local=not aws)
    problem = Contract.load(folder).problem.name
    system = system_of(problem, stage)
    where = target(aws=aws)
    found = belongings(where.account, names.stack(system), names.tags(problem, stage), names.resource(system, "mlflow"))
    return Doomed(folder, stage, system, where, found)


def _asked[Answer](question: Callable[[], Answer]) -> Answer:
    """The answer to a question; raises `CommandError` where input has ended before it, as it has in a pipeline."""
    try:
        return question()
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise CommandError("Nobody answered, and nothing was done. To go on without a question: --yes") from None


def confirm(system: Doomed, *, everything: bool, earlier: bool) -> bool:
    """Ask before a stack goes, by its name before data go from AWS; says whether what earlier stacks kept goes too.

    That is a question of its own unless `earlier` is asked for. Raises `typer.Abort` where the answer is no, and
    `CommandError` for another name, or where nobody answers.
    """
    name, local_ = system.system, system.where.local
    if not everything or local_:
        what = "with its data" if local_ else "(its data are kept)"
        if not _asked(lambda: typer.confirm(f"Destroy the stack of {name} {system.where} {what}?")):
            raise typer.Abort
        return earlier
    old = system.kept(earlier=True)
    for kept in [*system.kept(earlier=False), *(old if earlier else [])]:
        note(f"  {kept}")
    question = f"All of this goes, {system.where}, and cannot be brought back. Type {name} to go on"
    said = str(_asked(lambda: typer.prompt(question)))
    if said.strip() != name:
        raise CommandError(f"Expected '{name}', got '{said.strip()[:40]}'. Nothing was done.")
    if earlier or not old:
        return earlier
    note("Kept by earlier stacks of this name:")
    for kept in old:
        note(f"  {kept}")
    said = typer.prompt(f"Does that go too? Type {name} again to remove it, or Enter to keep it", default="")
    return str(said).strip() == name


def destroy(system: Doomed, *, everything: bool, earlier: bool) -> None:
    """Take the stack down; locally its data go too, on AWS they are kept unless `everything` is to go.

    With `earlier` that includes what stacks of the same name kept before. Raises `CommandError` when the
    stack cannot be deleted (nothing that it keeps is touched then), or when something is left that was to go.
    """
    where, stack = system.where, system.belongings.stack
    if where.local:
        # An emulator deletes a bucket with its stack, as AWS would, only when it is empty.
        for kept in system.kept(earlier=False):
            if kept.item.resource.kind == BUCKET and not kept.unseen:
                where.account.empty(kept.item.resource.name)
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
        _say_kept(system)


def _look(retained: Retained, item: Belonging) -> Kept:
    try:
        return Kept(item, retained.state(item.resource))
    except CommandError as error:
        return Kept(item, "", str(error))


def _remove_all(system: Doomed, *, earlier: bool) -> None:
    retained, left = Retained(system.where.account), []
    chosen = [item for item in system.belongings.items if earlier or not item.earlier]
    for item in chosen:
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
            left.append(f"{error}\n    {item.resource.how}")
    for item in chosen:
        if item.resource.kind != KEY:
            continue
        kept = _look(retained, item)
        if kept.unseen or kept.state == "there":
            why = kept.unseen or f"{item} is still there, and costs about $1 a month"
            left.append(f"{why}\n    {item.resource.how}")
        elif kept.state:
            note(f"{item.resource} {kept.state}.")
    if system.where.local:
        note("MLflow's runs are kept by the local cloud: andamio down --purge forgets it whole.")
    else:
        _say_shared(system)
    stay = [] if earlier else system.kept(earlier=True)
    if stay:
        _say_earlier(system, stay)
    if system.belongings.unsearched:
        left.append(system.belongings.unsearched)
    if left:
        raise CommandError("This is left or may be, and costs money:\n" + "\n".join(f"  {line}" for line in left))
    more = " but what earlier stacks kept" if stay else ""
    done(f"Nothing of {system.system} is left {system.where}{more}.")


def _say_shared(system: Doomed) -> None:
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


def _say_kept(system: Doomed) -> None:
    """On AWS data outlive their stack: what is kept, and how it goes."""
    kept = [one for one in system.kept(earlier=False) if one.item.resource.kind != KEY]
    if kept:
        note("Kept with all data, and it costs money as long as it is there:")
        for one in kept:
            note(f"  {one}")
        note(f"To remove that too: {_command(system)} --everything")
    stay = system.kept(earlier=True)
    if stay:
        _say_earlier(system, stay)
    if system.belongings.unsearched:
        note(f"{system.belongings.unsearched}.")


def _say_earlier(system: Doomed, stay: list[Kept]) -> None:
    note("Kept by earlier stacks of this name, and it costs money as long as it is there:")
    for one in stay:
        note(f"  {one}")
    note(f"To remove that too: {_command(system)} --everything --earlier")


def _command(system: Doomed) -> str:
    staged = f" --stage {system.stage}" if system.stage not in ("", names.DEFAULT_STAGE) else ""
    return f"andamio destroy --aws --problem {system.folder}{staged}"
