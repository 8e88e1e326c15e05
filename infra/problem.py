"""What the infrastructure deploys: a problem's contract, and its file as it is for the functions' layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from andamio import names
from andamio.contract import Contract
from andamio.contract.own_code import find_source


@dataclass(frozen=True, slots=True)
class DeployedProblem:
    """A problem to deploy: its contract, and the bytes of its `problem.toml` and of the code that it has, if any."""

    contract: Contract
    toml: bytes
    prepare: bytes | None = None
    pipeline: bytes | None = None


def read_problem(folder: Path) -> DeployedProblem:
    """Read a problem folder; raises `ContractError` that names file, table and key."""
    file = folder / names.PROBLEM_FILE
    code = (find_source(folder, name) for name in (names.PREPARE_FILE, names.PIPELINE_FILE))
    return DeployedProblem(Contract.load(file), file.read_bytes(), *code)
