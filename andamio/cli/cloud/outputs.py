"""What was deployed where: one file a system and target, and `outputs.json` for the last deploy.

.andamio/outputs.json                               the last deploy, whatever it was
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
from andamio.errors import CommandError

Outputs = dict[str, Any]
LOCAL = "local"


def place(account: str, region: str, *, local: bool) -> str:
    """What outputs are kept under: `local`, or account and region."""
    return LOCAL if local else f"{account}-{region}"


def target(deployed: Outputs) -> str:
    """Where a system was deployed: see `place`."""
    return place(deployed["account"], deployed["region"], local=deployed["emulator"])


def held(where: str, system: str) -> Outputs | None:
    """What the last deploy of a system to a target wrote, or None before the first."""
    return read_json(_file(where, system))


def write(deployed: Outputs) -> Outputs:
    """Keep what a deploy made; it is the last one from now on."""
    write_json(_file(target(deployed), deployed["system"]), deployed)
    write_json(_last(), deployed)
    return deployed


def rewrite(deployed: Outputs) -> Outputs:
    """Keep what has changed of a system since its deploy; the last deploy stays the one that it is."""
    write_json(_file(target(deployed), deployed["system"]), deployed)
    last = last_of_all()
    if last is not None and _same(last, deployed):
        write_json(_last(), deployed)
    return deployed


def forget(where: str, system: str) -> None:
    """What was deployed is gone."""
    gone = held(where, system)
    _file(where, system).unlink(missing_ok=True)
    last = last_of_all()
    if gone is not None and last is not None and _same(last, gone):
        _last().unlink()


def every(where: str = "*") -> Iterator[Outputs]:
    """Everything that is deployed, to one target or to any; the oldest deploy first."""
    found = [read_json(file) for file in (home() / "outputs").glob(f"{where}/*.json")]
    yield from sorted(
        (one for one in found if one and "system" in one),
        key=lambda one: (str(one["deployed_at"]), target(one), one["system"]),
    )


def last_of_all() -> Outputs | None:
    """What the last deploy wrote."""
    return read_json(_last())


def find(problem: str | None = None, stage: str | None = None) -> Outputs:
    """The last deploy of what is still there, or the last one of this problem and this stage; `dev` is the one without
    a suffix. Raises `CommandError` where there is none.
    """
    last = last_of_all()
    if problem is None and stage is not None and last is not None:
        problem = last["problem"]
    if last is not None and problem in (None, last["problem"]) and _in(stage, last):
        if "system" not in last:
            raise CommandError(
                f"{last['problem']} was deployed by an older version, which did not note where. Run: andamio deploy"
            )
        return last
    found = [one for one in every() if problem in (None, one["problem"]) and _in(stage, one)]
    if not found:
        raise CommandError(_nothing(problem, stage))
    return found[-1]


def _nothing(problem: str | None, stage: str | None) -> str:
    what = f"Problem '{problem}' is not" if problem else "Nothing is"
    folder = problem if problem and os.sep in problem else f"problems/{problem or 'heart'}"
    staged = f" in stage '{stage}'" if stage else ""
    there = [f"{one['system']} ({target(one)})" for one in every()]
    known = f" Deployed are {', '.join(there)}." if there else ""
    return f"{what} deployed yet{staged}.{known} Run: andamio deploy --problem {folder}" + (
        f" --stage {stage} (with --aws for your account)" if stage else ""
    )


def _in(stage: str | None, one: Outputs) -> bool:
    """Whether a system is of a stage; of any, where none is named."""
    return stage is None or "system" not in one or names.system(one["problem"], stage) == one["system"]


def _same(one: Outputs, other: Outputs) -> bool:
    """Whether both are about one system in one place."""
    return "system" in one and (target(one), one["system"]) == (target(other), other["system"])


def _file(where: str, system: str) -> Path:
    return home() / "outputs" / where / f"{system}.json"


def _last() -> Path:
    return home() / "outputs.json"
