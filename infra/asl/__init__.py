"""State machines as files: `stepfunctions/*.asl.json`, their placeholders filled in, and what every file must hold.

    python -m infra.asl [FILE ...]        checks the files; exit code 1 when one is wrong

A file is Amazon States Language with placeholders, `"${EtlFunction}"`, and is valid JSON before they are filled in.
Our own rules (`rules`, `retries`, `failures`) judge the file as it is, asl-validator (`validator`) what it
renders to. Nothing here knows CDK.
"""

from __future__ import annotations

from infra.asl.definition import FOLDER, AslError, is_distributed, load, render, tasks
from infra.asl.placeholders import PLACEHOLDERS, example, task_seconds
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
]
