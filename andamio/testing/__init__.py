"""Tests of a problem folder without a cloud: every state machine with our own functions, in this process.

    from andamio.testing import local_aws

    def test_my_problem_trains():
        with local_aws("problems/heart") as aws:
            aws.put("raw/heart.csv", Path("problems/heart/heart.csv").read_bytes())
            aws.run("etl")
            trained = aws.run("train", {"families": ["logistic_regression"], "trials": 1})
            assert trained.output["status"] == "promoted"

docs/testing.md describes it. Only tests import this room: it needs moto, which no function does.
"""

from __future__ import annotations

try:
    import moto  # noqa: F401 - looked for, so that its absence is told with the cure
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "andamio.testing needs moto, which is not installed in this Python. Run tests with the Python of this folder "
        "(make install, then .venv/bin/python -m pytest), or install it: "
        "pip install 'moto[s3,stepfunctions,dynamodb]==5.2.5' jsonpath-ng",
        name=error.name,
    ) from error

from andamio.testing.account import local_aws
from andamio.testing.api import Reply
from andamio.testing.cloud import Call, Execution, Killed, LocalAws
from andamio.testing.failure import ExecutionFailure
from andamio.testing.network import NetworkRefused

__all__ = ["Call", "Execution", "ExecutionFailure", "Killed", "LocalAws", "NetworkRefused", "Reply", "local_aws"]
