"""Lambda zips without Docker, in two layers: dependencies as locked, then our own code on top.

    python -m infra.bundling [api etl train search registry score] [--platform host|x86_64|arm64]

The dependencies of a bundle are installed, slimmed, import-tested and zipped once for what uv.lock pins;
an edit of our own code only appends to a copy of that zip. Both are kept by digest in $ANDAMIO_BUNDLES
(default $ANDAMIO_HOME/bundles), written under a temporary name and renamed, so that a zip which is
there is whole, imports, and fits its budget. `infra.packing` holds the steps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra import REPOSITORY
from infra.packing import BundleError, archive, assembly, platforms, store
from infra.packing.platforms import Platform
from infra.packing.recipes import RECIPES, Recipe

THREADS = 2


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip that is ready to deploy. `unpacked` in bytes."""

    name: str
    platform: str
    path: Path
    unpacked: int


def build_all(names: Sequence[str], platform: str, folder: Path | None = None) -> dict[str, Bundle]:
    """The bundles of these names, built where the folder lacks them, two at a time; raises `BundleError`."""
    unknown = sorted(set(names) - set(RECIPES))
    if unknown:
        raise BundleError(f"A bundle must be one of {', '.join(RECIPES)}. Got '{unknown[0]}' instead.")
    chosen = platforms.choose(platform)
    with ThreadPoolExecutor(THREADS) as pool:
        built = pool.map(lambda name: build(RECIPES[name], chosen, folder or store.default_store()), names)
        return {bundle.name: bundle for bundle in built}


def build(recipe: Recipe, platform: Platform, folder: Path, repository: Path = REPOSITORY) -> Bundle:
    """The bundle of a recipe, found in the folder or built there now; raises `BundleError`."""
    label = f"{recipe.name}-{platform.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with store.locked(folder / f"{label}.lock"):
            path = assembly.finished_zip(recipe, platform, folder, repository)
            store.remove_old(folder, label)
    except OSError as error:
        raise BundleError(
            f"The {recipe.name} bundle could not be built in {folder}: {error}. Building needs about 2 GB there."
        ) from error
    return Bundle(recipe.name, platform.name, path, archive.unpacked_bytes(path))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build bundles and print where they are; 1 when one cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m infra.bundling", description="Build the Lambda bundles.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; default: all")
    parser.add_argument("--platform", default="host", help="host (default), x86_64 or arm64")
    options = parser.parse_args(arguments)
    try:
        bundles = build_all(options.names or list(RECIPES), options.platform)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for bundle in bundles.values():
        unzipped, zipped = bundle.unpacked / assembly.MIB, bundle.path.stat().st_size / assembly.MIB
        budget = RECIPES[bundle.name].budget_mib
        print(f"{bundle.name:9}{bundle.platform:8}{unzipped:6.1f} of {budget} MiB, zipped {zipped:5.1f}  {bundle.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
