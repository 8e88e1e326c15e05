"""What a target makes of a behaviour: it works, it differs, or it is missing."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

EXPECTED = Path(__file__).with_name("expected.json")
NOT_THERE = frozenset({"NotImplemented", "UnknownOperation", "UnknownOperationException", "NotImplementedException"})
MOST = 90
"""Characters of what came that are kept."""
MADE_UP = re.compile(r"andamio-conf-[0-9a-z-]+|\b\d{12}\b")


class Differs(AssertionError):
    """Something else came than AWS answers; the message says what."""


class Missing(Exception):
    """The target does not have the part; the message says which, or that nothing came."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`came` is what came instead, or why nothing did."""

    kind: Literal["works", "differs", "missing"]
    came: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.came}" if self.came else self.kind


def came(got: object, expected: object) -> None:
    """Hold what came against what AWS answers; raises `Differs`."""
    if got != expected:
        raise Differs(str(got))


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """How a call is refused, status and code as in "412 PreconditionFailed", or "accepted"."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            raise
        return _said(error)
    return "accepted"


def judge(behaviour: Callable[[], object]) -> Verdict:
    """Run a behaviour; whatever is no answer of the target, an error of the test itself, is raised."""
    try:
        behaviour()
    except Differs as error:
        return Verdict("differs", short(str(error)))
    except (Missing, NotImplementedError) as error:
        return Verdict("missing", short(str(error).split("\n")[0]))
    except ClientError as error:
        said = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        gone = said["Code"] in NOT_THERE or status == 501 or "not implemented" in said.get("Message", "").lower()
        return Verdict(
            "missing" if gone else "differs", short(f"{error.operation_name}: {_said(error)} {said.get('Message', '')}")
        )
    except (ReadTimeoutError, ConnectionClosedError) as error:
        return Verdict("differs", type(error).__name__)
    except Exception as error:
        if not _within_moto(error):
            raise
        return Verdict("differs", f"moto fails with {type(error).__name__}")
    return Verdict("works")


def short(text: str) -> str:
    """A text in one line, without made-up names, and no longer than a cell of a table."""
    line = " ".join(MADE_UP.sub("NAME", text).split())
    return line if len(line) <= MOST else f"{line[:MOST]} ..."


def read() -> dict[str, dict[str, Verdict]]:
    """What each target is known to answer: behaviour -> target -> verdict."""
    content = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    return {name: {target: Verdict(**it) for target, it in found.items()} for name, found in content.items()}


def write(known: dict[str, dict[str, Verdict]]) -> None:
    """Keep what each target answers."""
    content = {
        name: {target: {"kind": it.kind} | ({"came": it.came} if it.came else {}) for target, it in found.items()}
        for name, found in known.items()
    }
    EXPECTED.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _within_moto(error: BaseException) -> bool:
    """Whether a target that runs in this process broke: elsewhere that is an answer of 500."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("moto.") for frame, _ in frames)


def _said(error: ClientError) -> str:
    status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return str(status) if code == str(status) else f"{status} {code}"
