"""The two layers of a bundle: dependencies as locked, and our own code on top of them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from infra.packing import BundleError, archive, bytecode, importing, slimming, store, uv
from infra.packing.platforms import Platform
from infra.packing.recipes import Recipe, sources

MIB = 2**20


def finished_zip(recipe: Recipe, platform: Platform, folder: Path, repository: Path) -> Path:
    """The zip of a bundle, found in the folder or made there; raises `BundleError`."""
    requirements = uv.locked_requirements(recipe.name, repository)
    own_files = sources(recipe, repository)
    below = archive.digest(
        {
            "requirements": requirements,
            "platform": platform.name,
            "recipe": repr(recipe),
            "rules": _rules(),
        }
    )
    above = archive.digest({"": below} | {name: path.read_bytes() for name, path in own_files.items()})
    label = f"{recipe.name}-{platform.name}"
    path = folder / f"{label}-{above[:16]}.zip"
    if not store.use(path):
        dependencies = folder / f"{label}-dependencies-{below[:16]}.zip"
        if not store.use(dependencies):
            _make_dependencies(recipe, platform, requirements, dependencies)
        _make_finished(recipe, platform, own_files, dependencies, path)
    return path


def _make_dependencies(recipe: Recipe, platform: Platform, requirements: str, path: Path) -> None:
    """Installed, slimmed, compiled, import-tested, zipped."""
    started = time.monotonic()
    with store.making(path) as (folder, unfinished):
        listing, tree = folder / "requirements.txt", folder / recipe.name
        listing.write_text(requirements)
        _print(recipe, platform, "installing dependencies")
        uv.install(listing, tree, platform)
        slimming.slim(tree)
        _print(recipe, platform, "compiling to bytecode")
        bytecode.compile_sources(tree)
        entries = archive.files(tree)
        check_size(recipe, platform, sum(file.stat().st_size for file in entries.values()))
        if platform.is_this_machine:
            _print(recipe, platform, "testing imports")
            importing.check_imports(tree, recipe.imports, f"The {recipe.name} bundle")
        else:
            _print(recipe, platform, "imports not tested: this machine cannot run that platform's libraries")
        archive.write_zip(unfinished, entries)
    _print(recipe, platform, f"dependencies ready after {time.monotonic() - started:.0f} s")


def _make_finished(
    recipe: Recipe, platform: Platform, own_files: Mapping[str, Path], dependencies: Path, path: Path
) -> None:
    """A copy of the dependencies' zip with our own code after them, tested by importing the handler."""
    with store.making(path) as (folder, unfinished):
        tree = folder / "ours"
        for name, source in own_files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, tree / name)
        bytecode.compile_sources(tree)
        entries = archive.files(tree)
        twice = sorted(archive.names(dependencies) & set(entries))
        if twice:
            raise BundleError(f"In the {recipe.name} bundle, {twice[0]} comes both from us and from a dependency.")
        shutil.copyfile(dependencies, unfinished)
        archive.write_zip(unfinished, entries, append=True)
        size = archive.unpacked_bytes(unfinished)
        check_size(recipe, platform, size)
        if platform.is_this_machine:
            unpacked = folder / "unpacked"
            archive.unpack(unfinished, unpacked)
            handler = f"lambdas.{recipe.name}.handler"
            importing.check_imports(unpacked, [handler], f"{handler} in the {recipe.name} bundle")
        zipped = unfinished.stat().st_size / MIB
    _print(
        recipe, platform, f"{size / MIB:.1f} MiB unzipped (budget {recipe.budget_mib}), {zipped:.1f} MiB zipped: ready"
    )


def check_size(recipe: Recipe, platform: Platform, size: int) -> None:
    """Raises `BundleError` when a bundle's unpacked files, in bytes, are over its budget.

    A bundle of a machine that AWS does not have runs on an emulator alone, where there is no limit.
    """
    if platform.wheels and size > recipe.budget_mib * MIB:
        raise BundleError(
            f"The {recipe.name} bundle takes {size / MIB:.1f} MiB unzipped, its budget is {recipe.budget_mib} "
            "(Lambda's limit is 250, layers included). Take a dependency out of its group in pyproject.toml, or what "
            "no function reads in infra/packing/slimming.py, or raise the budget in infra/packing/recipes.py knowingly."
        )


def _rules() -> str:
    """A digest of this package: a changed rule makes another bundle."""
    folder = Path(__file__).parent
    return archive.digest({path.name: path.read_bytes() for path in folder.glob("*.py")})


def _print(recipe: Recipe, platform: Platform, what: str) -> None:
    print(f"bundle {recipe.name} ({platform.name}): {what}", file=sys.stderr, flush=True)
