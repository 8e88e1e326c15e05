"""Outputs of deploys: one file for each system and target, and `outputs.json` for the last deploy.

.andamio/outputs.json                               the last deploy
.andamio/outputs/local/heart.json                   on the local cloud
.andamio/outputs/ACCOUNT-REGION/heart--prod.json    on AWS
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from andamio import names
from andamio.cli.home import home, read_json, write_json
from andamio.errors import NotDeployed

Outputs = dict[str, Any]
LOCAL = "local"


def place(account: str, region: str, *, local: bool) -> str:
    """The folder of outputs: `local`, or account and region."""
    return LOCAL if local else f"{account}-{region}"


def target(deployed: Outputs) -> str:
    """The target of a deployed system: see `place`."""
    return place(deployed["account"], deployed["region"], local=deployed["emulator"])


def read(where: str, system: str) -> Outputs | None:
    """The outputs of a system at a target, or None before its first deploy."""
    return read_json(_file(where, system))


def write(deployed: Outputs) -> Outputs:
    """Write the outputs of a deploy, which becomes the last one."""
    write_json(_file(target(deployed), deployed["system"]), deployed)
    write_json(_last(), deployed)
    return deployed


def rewrite(deployed: Outputs) -> Outputs:
    """Write changed outputs of a system; the last deploy stays the same."""
    write_json(_file(target(deployed), deployed["system"]), deployed)
    last = last_deployed()
    if last is not None and _is_same_system(last, deployed):
        write_json(_last(), deployed)
    return deployed


def forget(where: str, system: str) -> None:
    """Delete the outputs of a system."""
    forgotten = read(where, system)
    _file(where, system).unlink(missing_ok=True)
    last = last_deployed()
    if forgotten is not None and last is not None and _is_same_system(last, forgotten):
        _last().unlink()


def all_outputs(where: str = "*") -> Iterator[Outputs]:
    """The outputs of all systems, at one target or at any, oldest deploy first."""
    found = [read_json(file) for file in (home() / "outputs").glob(f"{where}/*.json")]
    yield from sorted(
        (output for output in found if output and "system" in output),
        key=lambda output: (str(output["deployed_at"]), target(output), output["system"]),
    )


def last_deployed() -> Outputs | None:
    """The outputs of the last deploy."""
    return read_json(_last())


def find(problem: str | None = None, stage: str | None = None) -> Outputs:
    """The outputs of the last deploy, or of the last one of a problem and stage; `dev` is the stage without a suffix.

    Raises `NotDeployed` when there is none.
    """
    last = last_deployed()
    if problem is None and stage is not None and last is not None:
        problem = last["problem"]
    if last is not None and problem in (None, last["problem"]) and _is_in_stage(stage, last):
        if "system" not in last:
            raise NotDeployed(f"{last['problem']} was deployed by an older version. Deploy it again: andamio deploy")
        return last
    found = [output for output in all_outputs() if problem in (None, output["problem"]) and _is_in_stage(stage, output)]
    if not found:
        raise NotDeployed(_not_deployed_message(problem, stage))
    return found[-1]


def _not_deployed_message(problem: str | None, stage: str | None) -> str:
    subject = f"Problem '{problem}' is not" if problem else "Nothing is"
    folder = problem if problem and os.sep in problem else f"problems/{problem or 'heart'}"
    stage_text = f" in stage '{stage}'" if stage else ""
    systems = [f"{output['system']} ({target(output)})" for output in all_outputs()]
    deployed_text = f" Deployed systems: {', '.join(systems)}." if systems else ""
    return f"{subject} deployed yet{stage_text}.{deployed_text} Run: andamio deploy --problem {folder}" + (
        f" --stage {stage} (with --aws for your account)" if stage else ""
    )


def _is_in_stage(stage: str | None, output: Outputs) -> bool:
    """Whether a system is in a stage; without a stage, always."""
    return stage is None or "system" not in output or names.system(output["problem"], stage) == output["system"]


def _is_same_system(output: Outputs, other: Outputs) -> bool:
    """Whether both are outputs of the same system at the same target."""
    return "system" in output and (target(output), output["system"]) == (target(other), other["system"])


def _file(where: str, system: str) -> Path:
    return home() / "outputs" / where / f"{system}.json"


def _last() -> Path:
    return home() / "outputs.json"
