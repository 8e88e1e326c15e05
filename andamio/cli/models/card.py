"""The model card of a release, in the terminal."""

from __future__ import annotations

import sys
from typing import Any

from rich.markdown import Markdown

from andamio.cli.console import note, out
from andamio.cli.home import account as account_of
from andamio.errors import CommandError
from andamio.release.pointer import read_pointer
from andamio.release.release import CARD, Release
from andamio.storage.ports import Objects


def show(deployed: dict[str, Any], version: str | None) -> None:
    """Print the card of a release, of the champion unless told; as it is where nobody looks (a pipe, a file)."""
    objects = account_of(deployed).objects(deployed["buckets"]["models"])
    release, text = find(objects, deployed["problem"], version)
    if out.is_terminal:
        out.print(Markdown(text))
        note(f"Release {release}. As a page: {deployed['api_url']}/model/card (with the API key)")
    else:
        sys.stdout.write(text)


def find(objects: Objects, problem: str, version: str | None) -> tuple[str, str]:
    """A release's version and its card; raises `CommandError` when there is no release, or none of its cards."""
    if version is None:
        pointer, _ = read_pointer(objects, problem)
        if pointer.champion is None:
            raise CommandError("No model is served yet, and so no card: andamio ingest FILE, and training follows.")
        version = pointer.champion.release
    body = Release.open(objects, version).find(CARD)
    if body is None:
        raise CommandError(f"Release {version} was sealed before there were model cards. The next training brings one.")
    return version, body.decode()
