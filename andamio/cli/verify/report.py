"""The report of a verification as a page to paste: what worked, how long it took, and on what."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Literal

from andamio import __version__
from andamio.cli.home import REPO

Result = Literal["works", "fails", "stopped", "skipped"]
_PACKAGES = ("boto3", "botocore", "aws-cdk-lib")
_HIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(:assumed-role/[\w+=,.@-]+/)[\w+=,.@-]*[\w+=@-]"), r"\1HIDDEN"),
    (re.compile(r"(:(?:federated-)?user/)[\w+=,.@/-]*[\w+=@/-]"), r"\1HIDDEN"),
    (re.compile(r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}(?::[\w+=,.@-]*[\w+=@-])?"), "KEY-ID"),
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)|x-api-key)(=|: ?)[^&\s'\"]+"), r"\1\2HIDDEN"),
    (re.compile(r"(?<![0-9a-zA-Z])\d{12}(?![0-9a-zA-Z])"), "ACCOUNT"),
    (re.compile(r"[a-z0-9]{10}(?=\.execute-api\.)"), "API"),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), "HIDDEN"),
)
"""What no report holds, by its form: the names of users and sessions, which may be e-mail addresses, ids of keys,
signatures, account numbers, ids of APIs, passwords in addresses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step; `message` says why it does not work, or what it found."""

    name: str
    result: Result
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A verification.

    where    the kind of target and its region, without an account
    outcomes of the steps, in order
    left     what is left of it, a line each; empty when nothing is
    secrets  texts that must not be in a report: the account number, the API key
    kept     what stays by intent, a line each
    """

    problem: str
    where: str
    begun: datetime
    outcomes: Sequence[Outcome]
    left: Sequence[str]
    secrets: Sequence[str]
    kept: Sequence[str] = ()

    @property
    def failed(self) -> list[str]:
        """The names of the steps that do not work, or were not reached."""
        return [outcome.name for outcome in self.outcomes if outcome.result != "works"]

    def text(self) -> str:
        """The page, as Markdown."""
        failed = len(self.failed)
        lines = [
            "# andamio verify",
            "",
            f"**{'Everything works' if not failed else f'{failed} of {len(self.outcomes)} steps do not work'}.** "
            f"{'Nothing is left.' if not self.left else 'Something is left, or may be: see below.'}",
            *self.kept,
            "",
            "| | |",
            "|---|---|",
            f"| problem | {self.problem} |",
            f"| target | {self.where} |",
            f"| begun | {self.begun.astimezone(UTC).isoformat(timespec='seconds')} |",
            *(f"| {name} | {version} |" for name, version in versions().items()),
            "",
            "| step | result | seconds |",
            "|---|---|---:|",
            *(f"| {outcome.name} | {outcome.result} | {outcome.seconds:.1f} |" for outcome in self.outcomes),
        ]
        for outcome in self.outcomes:
            if outcome.message:
                lines += ["", f"## {outcome.name}: {outcome.result}", "", "```text", outcome.message, "```"]
        if self.left:
            lines += ["", "## Left", "", "```text", *self.left, "```"]
        return hidden("\n".join(lines) + "\n", self.secrets)


def hidden(text: str, secrets: Sequence[str] = ()) -> str:
    """A text without the given secrets, and without what has the form of one; the home folder becomes `~`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "HIDDEN")
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    text = text.replace(str(REPO), ".")
    folder = str(Path.home())
    # A container may run with HOME=/, where every path would change.
    return text if folder == "/" else text.replace(folder, "~")


def versions() -> dict[str, str]:
    """What the system was deployed with."""
    found = {"Andamio": __version__, "Python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        try:
            found[package] = version_of(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    try:
        cdk = json.loads((REPO / "node_modules" / "aws-cdk" / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        cdk = "not installed"
    return {**found, "aws-cdk": str(cdk)}
