"""The model card of a release, in the terminal."""

from __future__ import annotations

import sys
from typing import Any

from rich.markdown import Markdown

from andamio.cli.console import note, out
from andamio.cli.home import account as account_of
from andamio.errors import NoModel
from andamio.release.pointer import read_pointer
from andamio.release.release import CARD, Release
from andamio.storage.ports import Objects


def show(deployed: dict[str, Any], version: str | None) -> None:
    """Print the card of a release (default: the champion); as Markdown source when stdout is no terminal."""
    objects = account_of(deployed).objects(deployed["buckets"]["models"])
    release, text = find(objects, deployed["problem"], version)
    if out.is_terminal:
        out.print(Markdown(text))
        note(f"Release {release}. As a page: {deployed['api_url']}/model/card (with the API key)")
    else:
        sys.stdout.write(text)


def find(objects: Objects, problem: str, version: str | None) -> tuple[str, str]:
    """The version of a release and its card; raises `NoModel` when there is no release, or it has no card."""
    if version is None:
        pointer, _ = read_pointer(objects, problem)
        if pointer.champion is None:
            raise NoModel(
                "There is no champion yet, so there is no card. Upload data: andamio ingest FILE. Training follows."
            )
        version = pointer.champion.release
    body = Release.open(objects, version).find(CARD)
    if body is None:
        raise NoModel(f"Release {version} has no model card. Releases of later training runs have one: andamio train")
    return version, body.decode()
