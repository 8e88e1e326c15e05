"""The contract that a function was deployed with: a package that holds the problem's file."""

from __future__ import annotations

from importlib import resources

from andamio.contract import Contract
from andamio.contract.own_code import deployed_source, prepare_digest
from andamio.errors import SettingsError
from andamio.names import PROBLEM_FILE, PROBLEM_PACKAGE


def load_problem(package: str = PROBLEM_PACKAGE) -> Contract:
    """Read `problem.toml` from the layer's package; raises `SettingsError` when it was not deployed."""
    try:
        text = resources.files(package).joinpath(PROBLEM_FILE).read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        raise SettingsError(
            f"The package '{package}' with {PROBLEM_FILE} is not importable: the function needs the contract's "
            "layer. Deploy again: infra/ builds it."
        ) from None
    return Contract.from_toml(text, PROBLEM_FILE, prepare=prepare_digest(deployed_source()))
