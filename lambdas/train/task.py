"""A step of training in a task, as a command: the same steps as the function's, with the same results.

python -m lambdas.train.task trial RUN TRIAL ROUND
python -m lambdas.train.task fit RUN
python -m lambdas.train.task evaluate RUN
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
from collections.abc import Sequence
from typing import Any

from andamio.names import EVENT_TRAINING
from andamio.settings import TrainSettings
from andamio.step import logged_step
from lambdas.train.handler import STEPS, connect


def command() -> int:
    """`main` in a process that ends when the task's time is over, with what it did then as the last of its log.

    Step Functions stops a task that takes too long, and may fail to. This ends it also in the middle of a fit in C,
    and as the first process of a container, where neither a handler nor the default of a signal would.
    """
    faulthandler.dump_traceback_later(TrainSettings.from_env().seconds, exit=True)
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one step and return 0; raises `andamio.errors`, whose words are then the last of the task's log."""
    given = vars(_parser().parse_args(arguments))
    event: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    logged_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lambdas.train.task", description=__doc__.split("\n")[0])
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("trial", "fit", "evaluate"):
        step = steps.add_parser(name)
        step.add_argument("run")
        if name == "trial":
            step.add_argument("trial")
            step.add_argument("round", type=int)
    return parser


if __name__ == "__main__":
    sys.exit(command())
