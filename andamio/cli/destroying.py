"""Taking a stack down, and with it, when asked, everything that AWS would keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from andamio import names
from andamio.adapters.retained import BUCKET, KEY, Resource, Retained
from andamio.cli import cdk
from andamio.cli import deployed as outputs
from andamio.cli.console import done, note, step
from andamio.cli.deploying import cdk_context
from andamio.cli.target import Target, stage_of, system_of, target
from andamio.contract import Contract
from andamio.errors import CommandError


@dataclass(frozen=True, slots=True)
class Doomed:
    """A system that is about to be taken down, and what its stack may leave behind."""

    folder: Path
    stage: str
    system: str
    where: Target
    resources: list[Resource] = field(repr=False)

    @property
    def stack(self) -> str:
        """Its stack."""
        return names.stack(self.system)

    @property
    def kept(self) -> list[Resource]:
        """What is there of that now."""
        retained = Retained(self.where.account)
        return [resource for resource in self.resources if retained.state(resource)]


def doomed(folder: Path, *, aws: bool, stage: str | None) -> Doomed:
    """What a destroy is about; raises `CommandError` where the place cannot be reached."""
    stage = stage_of(stage, local=not aws)
    system = system_of(Contract.load(folder).problem.name, stage)
    where = target(aws=aws)
    return Doomed(folder, stage, system, where, Retained(where.account).of(names.stack(system)))


def destroy(system: Doomed, *, everything: bool) -> None:
    """Take the stack down; locally its data go too, on AWS they are kept unless `everything` is to go.

    Raises `CommandError` when the stack cannot be deleted, or when something is left that was to go.
    """
    where = system.where
    if where.local:
        # An emulator deletes a bucket with its stack, as AWS would, only when it is empty.
        for resource in system.kept:
            if resource.kind == BUCKET:
                where.account.empty(resource.name)
    if where.account.stack_outputs(system.stack) is None:
        note(f"There is no stack {system.stack} {where}.")
    else:
        before = outputs.held(where.name, system.system) or {}
        context = cdk_context(system.folder, system.stage, before.get("context", []))
        cdk.run(
            ["destroy", system.stack, "--force", *context],
            where.environment,
            f"Destroying {system.stack} (cdk destroy)",
        )
    outputs.forget(where.name, system.system)
    if everything:
        _remove_all(system)
    elif not where.local:
        _say_kept(system)


def _remove_all(system: Doomed) -> None:
    retained, left = Retained(system.where.account), []
    for resource in system.resources:
        # A key goes with its stack, after its waiting time.
        if resource.kind == KEY or not retained.state(resource):
            continue
        try:
            with step(f"Removing {resource}"):
                retained.remove(resource)
            done(f"Removed {resource}")
        except CommandError as error:
            left.append((resource, str(error)))
    for resource in system.resources:
        state = retained.state(resource) if resource.kind == KEY else ""
        if state == "there":
            left.append((resource, f"{resource} is still there, and costs about $1 a month"))
        elif state:
            note(f"{resource} {state}.")
    if system.where.local:
        note("MLflow's runs are kept by the local cloud: andamio down --purge forgets it whole.")
    else:
        _say_shared(retained)
    if left:
        raise CommandError(
            "This is left, and costs money:\n" + "\n".join(f"  {why}\n    {resource.how}" for resource, why in left)
        )
    done(f"Nothing of {system.system} is left {system.where}.")


def _say_shared(retained: Retained) -> None:
    """CDK's own stack, which is not this system's to remove."""
    for bucket in retained.bootstrap():
        note(
            f"CDK's {bucket} holds the bundles of every CDK app of this account and region, and costs what it stores. "
            "When no app is left, empty it in the S3 console and delete the stack: "
            "aws cloudformation delete-stack --stack-name CDKToolkit"
        )


def _say_kept(system: Doomed) -> None:
    """On AWS data outlive their stack: what is kept, and how it goes."""
    kept = [resource for resource in system.kept if resource.kind != KEY]
    if not kept:
        return
    staged = f" --stage {system.stage}" if system.stage not in ("", names.DEFAULT_STAGE) else ""
    note("Kept with all data, and it costs money as long as it is there:")
    for resource in kept:
        note(f"  {resource}")
    note(f"To remove that too: andamio destroy --aws --problem {system.folder}{staged} --everything")
