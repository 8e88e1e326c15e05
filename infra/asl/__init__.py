"""State machines as files: `stepfunctions/*.asl.json`, how they are rendered, and what every definition must hold.

    python -m infra.asl [FILE ...]        checks the files; exit code 1 when one is wrong
    python -m infra.asl --print FILE      prints one as it is deployed, with example values: for a visual editor

A file is Amazon States Language with placeholders, `"${EtlFunction}"`, and references to what all states do about
errors (`policies`); it is valid JSON before either is filled in. Our own rules (`rules`, `retries`, `failures`) judge
it with the policies put in, asl-validator (`validator`) what it renders to. Nothing here knows CDK.
"""

from __future__ import annotations

from infra.asl.definition import FOLDER, AslError, is_distributed, render, tasks, without
from infra.asl.placeholders import PLACEHOLDERS, example, task_seconds
from infra.asl.policies import load
from infra.asl.rules import lint

__all__ = [
    "FOLDER",
    "PLACEHOLDERS",
    "AslError",
    "example",
    "is_distributed",
    "lint",
    "load",
    "render",
    "task_seconds",
    "tasks",
    "without",
]
