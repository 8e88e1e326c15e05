"""What the infrastructure reads of a problem folder: a few plain values of its problem.toml.

The contract itself is checked by `andamio.contract`, which the command line and the functions use; a
deployment needs the name, which names everything, the number of trials that run side by side, and how
long files and their predictions are kept.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from andamio import names

NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")
DEFAULT_PARALLEL = 3
MOST_PARALLEL = 40
DEFAULT_KEEP_DAYS = 90


class ProblemError(Exception):
    """The problem folder cannot be deployed: the message names the file and the key."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem to deploy.

    `parallel` is how many trials train at once, `keep_days` how long a batch and its results stay, `toml` the
    file as it is.
    """

    name: str
    parallel: int
    keep_days: int
    toml: bytes


def read_problem(folder: Path) -> Problem:
    """Read a problem folder; raises `ProblemError`."""
    file = folder / names.PROBLEM_FILE
    if not file.is_file():
        raise ProblemError(
            f"Expected the problem folder to hold {names.PROBLEM_FILE}, but {file} does not exist. "
            "Name the folder with `cdk -c problem=problems/NAME` or `make demo PROBLEM=problems/NAME`."
        )
    toml = file.read_bytes()
    try:
        content = tomllib.loads(toml.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProblemError(f"{file} is not valid TOML: {error}.") from error
    name = _table(content, "problem", file).get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name) or "--" in name:
        raise ProblemError(
            f"{file}: [problem] name must be 2 to 31 of a-z, 0-9 and '-', starting with a letter, without '--' (which "
            f"stands before a stage in the names of what is deployed). Got {name!r} instead."
        )
    parallel = _table(content, "training", file).get("parallel", DEFAULT_PARALLEL)
    if not isinstance(parallel, int) or isinstance(parallel, bool) or not 1 <= parallel <= MOST_PARALLEL:
        raise ProblemError(
            f"{file}: [training] parallel must be an integer from 1 to {MOST_PARALLEL}. Got {parallel!r} instead."
        )
    keep_days = _table(content, "batch", file).get("keep_days", DEFAULT_KEEP_DAYS)
    if not isinstance(keep_days, int) or isinstance(keep_days, bool) or keep_days < 1:
        raise ProblemError(
            f"{file}: [batch] keep_days must be an integer of at least 1, in days. Got {keep_days!r} instead."
        )
    return Problem(name, parallel, keep_days, toml)


def _table(content: dict[str, object], key: str, file: Path) -> dict[str, object]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise ProblemError(f"{file}: {key} must be a table, [{key}]. Got {type(table).__name__} instead.")
    return table
