"""Lambda zips without Docker, in two layers: dependencies as locked, then our own code on top.

    python -m infra.bundling [api etl train registry] [--platform host|x86_64|arm64]

The dependencies of a bundle are installed, slimmed, import-tested and zipped once for what uv.lock pins;
an edit of our own code only appends to a copy of that zip. Both are kept by digest in $ANDAMIO_BUNDLES
(default $ANDAMIO_HOME/bundles), written under a temporary name and renamed, so that a zip which is
there is whole, imports, and fits its budget.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra import REPOSITORY
from infra.packing import BundleError, archive, bytecode, importing, platforms, slimming, uv
from infra.packing.platforms import Platform
from infra.packing.recipes import RECIPES, Recipe, sources

AT_ONCE = 2
MIB = 2**20
KEPT = 4
"""Zips kept for each bundle, platform and layer: the newest by use."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip that is ready to deploy. `unpacked` in bytes."""

    name: str
    platform: str
    path: Path
    unpacked: int


def default_store() -> Path:
    """Where zips are kept: $ANDAMIO_BUNDLES, else `bundles` in $ANDAMIO_HOME or .andamio."""
    shared = os.environ.get("ANDAMIO_BUNDLES", "")
    home = Path(os.environ.get("ANDAMIO_HOME") or REPOSITORY / ".andamio")
    return Path(shared) if shared else home / "bundles"


def build_all(names: Sequence[str], platform: str, store: Path | None = None) -> dict[str, Bundle]:
    """Build bundles that are not in the store yet, two at a time; raises `BundleError`."""
    unknown = sorted(set(names) - set(RECIPES))
    if unknown:
        raise BundleError(f"A bundle must be one of {', '.join(RECIPES)}. Got '{unknown[0]}' instead.")
    chosen = platforms.choose(platform)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        built = pool.map(lambda name: build(RECIPES[name], chosen, store or default_store()), names)
        return {bundle.name: bundle for bundle in built}


def build(recipe: Recipe, platform: Platform, store: Path, repository: Path = REPOSITORY) -> Bundle:
    """The bundle of a recipe, out of the store or built now; raises `BundleError`."""
    label = f"{recipe.name}-{platform.name}"
    try:
        store.mkdir(parents=True, exist_ok=True)
        with _alone(store / f"{label}.lock"):
            path = _finished(recipe, platform, store, repository)
            _forget_old(store, label)
    except OSError as error:
        raise BundleError(
            f"The {recipe.name} bundle could not be written to {store}: {error}. "
            "Four bundles need about 2 GB there while they are built."
        ) from error
    return Bundle(recipe.name, platform.name, path, archive.unpacked_bytes(path))


def _finished(recipe: Recipe, platform: Platform, store: Path, repository: Path) -> Path:
    """Dependencies and our own code in one zip."""
    ours = sources(recipe, repository)
    requirements = uv.locked_requirements(recipe.name, repository)
    dependencies_key = archive.digest(
        {"requirements": requirements, "platform": platform.name, "recipe": repr(recipe), "packing": _packing_digest()}
        | {"strip": Path(slimming.find_stripper(platform)).name}
    )
    key = archive.digest({name: path.read_bytes() for name, path in ours.items()} | {"": dependencies_key})
    path = store / f"{recipe.name}-{platform.name}-{key[:16]}.zip"
    if path.is_file():
        os.utime(path)
        return path
    dependencies = store / f"{recipe.name}-{platform.name}-dependencies-{dependencies_key[:16]}.zip"
    if not dependencies.is_file():
        _install(recipe, platform, requirements, dependencies)
    os.utime(dependencies)
    with _temporary(path) as (folder, unfinished):
        tree = folder / "ours"
        for name, source in ours.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, tree / name)
        if recipe.bytecode:
            bytecode.compile_sources(tree)
        entries = archive.files(tree)
        taken = sorted(archive.names(dependencies) & set(entries))
        if taken:
            raise BundleError(f"In the {recipe.name} bundle, {taken[0]} comes both from us and from a dependency.")
        shutil.copyfile(dependencies, unfinished)
        archive.write_zip(unfinished, entries, append=True)
        _check_size(recipe, archive.unpacked_bytes(unfinished))
        if platform.is_this_machine:
            unpacked = folder / "unpacked"
            archive.unpack(unfinished, unpacked)
            module = f"lambdas.{recipe.name}.handler"
            importing.check_imports(unpacked, [module], f"{module} in the {recipe.name} bundle")
    size = archive.unpacked_bytes(path) / MIB
    _say(
        recipe,
        platform,
        f"{size:.1f} MiB unzipped (budget {recipe.budget_mib}), {path.stat().st_size / MIB:.1f} zipped",
    )
    return path


def _install(recipe: Recipe, platform: Platform, requirements: str, path: Path) -> None:
    """The dependencies of a bundle: installed, slimmed, tested, zipped."""
    started = time.monotonic()
    with _temporary(path) as (folder, unfinished):
        listing, tree = folder / "requirements.txt", folder / recipe.name
        listing.write_text(requirements)
        _say(recipe, platform, "installing dependencies")
        uv.install(listing, tree, platform)
        slimming.slim(tree, platform)
        if recipe.bytecode:
            _say(recipe, platform, "compiling to bytecode")
            bytecode.compile_sources(tree)
        if platform.is_this_machine:
            _say(recipe, platform, "testing imports")
            importing.check_imports(tree, recipe.imports, f"The {recipe.name} bundle")
        else:
            _say(recipe, platform, "imports not tested: this machine cannot run that platform's libraries")
        entries = archive.files(tree)
        _check_size(recipe, sum(file.stat().st_size for file in entries.values()))
        archive.write_zip(unfinished, entries)
    _say(recipe, platform, f"dependencies ready after {time.monotonic() - started:.0f} s")


def _check_size(recipe: Recipe, size: int) -> None:
    if size > recipe.budget_mib * MIB:
        raise BundleError(
            f"The {recipe.name} bundle takes {size / MIB:.1f} MiB unzipped, its budget is {recipe.budget_mib} "
            "(Lambda's limit is 250, layers included). Take a dependency out of its group in pyproject.toml, or raise "
            "the budget in infra/packing/recipes.py knowingly. Without a `strip` on PATH that knows the platform "
            "(binutils, or llvm-strip), libraries keep their debug symbols."
        )


def _packing_digest() -> str:
    """A changed recipe or rule makes another bundle."""
    folder = Path(__file__).parent / "packing"
    return archive.digest({path.name: path.read_bytes() for path in folder.glob("*.py")})


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[Path, Path]]:
    """A working folder, and a file in it that takes its place at `path` when all went well."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        unfinished = Path(folder) / path.name
        yield Path(folder), unfinished
        unfinished.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two processes build different bundles at the same time, never the same one."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old(store: Path, label: str) -> None:
    """Keep the zips that were used last."""
    layers = sorted(store.glob(f"{label}-dependencies-*.zip"))
    finished = sorted(set(store.glob(f"{label}-*.zip")) - set(layers))
    for group in (layers, finished):
        for path in sorted(group, key=lambda file: file.stat().st_mtime)[:-KEPT]:
            path.unlink(missing_ok=True)


def _say(recipe: Recipe, platform: Platform, what: str) -> None:
    print(f"bundle {recipe.name} ({platform.name}): {what}", file=sys.stderr, flush=True)


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
        print(
            f"{bundle.name:9} {bundle.platform:7} {bundle.unpacked / MIB:6.1f} MiB unzipped, "
            f"{bundle.path.stat().st_size / MIB:5.1f} zipped  {bundle.path}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
