"""Bundles: the same content gives the same bytes, what is there is whole, and an edit of ours installs nothing.

The installer is replaced by one that writes a small package: the steps around it are the real ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from infra import bundling
from infra.packing import BundleError, archive, assembly, elf, platforms, store, uv
from infra.packing.platforms import Platform
from infra.packing.recipes import LAMBDA_LIMIT_MIB, RECIPES, Recipe, sources
from tests.support.elf import library

RECIPE = Recipe("tiny", packages=("andamio",), imports=("dependency",), budget_mib=1)
HOST = platforms.choose("host")


@pytest.fixture
def repository(tmp_path) -> Path:
    root = tmp_path / "repository"
    for name, text in {
        "andamio/__init__.py": "",
        "andamio/names.py": "PART = 'tiny'\n",
        "andamio/cli/main.py": "import nothing_of_this_is_deployed\n",
        "andamio/adapters/s3.py": "",
        "andamio/adapters/memory.py": "import nothing_of_this_is_deployed\n",
        "andamio/__pycache__/names.cpython-313.pyc": "stale",
        "lambdas/__init__.py": "",
        "lambdas/tiny/__init__.py": "",
        "lambdas/tiny/handler.py": "import dependency\nfrom andamio import names\n\nhandler = names.PART\n",
        "lambdas/other/handler.py": "import nothing_of_this_is_deployed\n",
    }.items():
        write(root / name, text)
    return root


@pytest.fixture
def installed(monkeypatch) -> list[str]:
    """Which platforms something was installed for, one entry an installation."""
    calls: list[str] = []

    def install(requirements, target, platform, repository=None):
        calls.append(platform.name)
        write(target / "dependency" / "__init__.py", f"LOCKED = {requirements.read_text()!r}\n")
        write(target / "dependency" / "tests" / "test_it.py", "")
        write(target / "dependency" / "fast.pyi", "")
        (target / "dependency" / "data.so.1").write_bytes(library())

    monkeypatch.setattr(uv, "install", install)
    monkeypatch.setattr(uv, "locked_requirements", lambda group, repository=None: f"{group}==1.0\n")
    return calls


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build(repository: Path, folder: Path, recipe: Recipe = RECIPE, platform: Platform = HOST) -> bundling.Bundle:
    return bundling.build(recipe, platform, folder, repository)


def test_the_same_content_gives_the_same_bytes_wherever_and_whenever_it_is_built(repository, installed, tmp_path):
    first = build(repository, tmp_path / "one")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(repository, elsewhere)
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (1, 1))
    second = build(elsewhere, tmp_path / "two")
    assert installed == [HOST.name, HOST.name]
    assert first.path.name == second.path.name
    assert first.path.read_bytes() == second.path.read_bytes()


def test_the_tools_of_the_machine_change_nothing(repository, installed, tmp_path, monkeypatch):
    """A machine with binutils and a slim image make the same bundle."""
    place = tmp_path / "tools"
    for name in ("strip", "x86_64-linux-gnu-strip", "aarch64-linux-gnu-strip", "llvm-strip"):
        write(place / name, f"#!/bin/sh\necho $0 >> {tmp_path}/called\nfor file; do :; done; echo stripped > $file\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    without = [build(repository, tmp_path / "one", platform=kind) for kind in (platforms.X86_64, platforms.ARM64)]
    monkeypatch.setenv("PATH", f"{place}:{os.defpath}")
    tools = [build(repository, tmp_path / "two", platform=kind) for kind in (platforms.X86_64, platforms.ARM64)]
    assert [bundle.path.name for bundle in tools] == [bundle.path.name for bundle in without]
    assert [bundle.path.read_bytes() for bundle in tools] == [bundle.path.read_bytes() for bundle in without]
    assert not (tmp_path / "called").exists()
    with zipfile.ZipFile(without[0].path) as bundle:
        assert bundle.read("dependency/data.so.1") == elf.without_symbols(library()) != library()


def test_what_is_there_already_is_not_built_again(repository, installed, tmp_path):
    first = build(repository, tmp_path / "store")
    stamp = first.path.read_bytes()
    assert build(repository, tmp_path / "store") == first
    assert installed == [HOST.name]
    assert first.path.read_bytes() == stamp


def test_an_edit_of_our_code_makes_another_zip_and_installs_nothing(repository, installed, tmp_path):
    first = build(repository, tmp_path / "store")
    write(repository / "andamio" / "names.py", "PART = 'edited'\n")
    second = build(repository, tmp_path / "store")
    assert second.path != first.path
    assert installed == [HOST.name]
    assert archive.names(first.path) == archive.names(second.path)


def test_another_lock_installs_again(repository, installed, tmp_path, monkeypatch):
    first = build(repository, tmp_path / "store")
    monkeypatch.setattr(uv, "locked_requirements", lambda group, repository=None: f"{group}==2.0\n")
    assert build(repository, tmp_path / "store").path != first.path
    assert installed == [HOST.name, HOST.name]


def test_platforms_never_share_a_zip(repository, installed, tmp_path):
    kinds = [platforms.X86_64, platforms.ARM64]
    assert len({build(repository, tmp_path / "store", platform=kind).path for kind in kinds}) == 2


def test_a_zip_holds_bytecode_of_what_the_function_needs_and_nothing_else(repository, installed, tmp_path):
    assert archive.names(build(repository, tmp_path / "store").path) == {
        "dependency/__init__.pyc",
        "dependency/data.so.1",
        "andamio/__init__.pyc",
        "andamio/names.pyc",
        "andamio/adapters/s3.pyc",
        "lambdas/__init__.pyc",
        "lambdas/tiny/__init__.pyc",
        "lambdas/tiny/handler.pyc",
    }


def test_bytecode_names_the_place_where_lambda_unpacks_it(repository, installed, tmp_path):
    with zipfile.ZipFile(build(repository, tmp_path / "store").path) as bundle:
        code = bundle.read("andamio/names.pyc")
    assert b"/var/task/andamio/names.py" in code
    assert str(tmp_path).encode() not in code


def test_its_size_is_what_lambda_counts(repository, installed, tmp_path):
    bundle = build(repository, tmp_path / "store")
    unpacked = tmp_path / "unpacked"
    archive.unpack(bundle.path, unpacked)
    assert bundle.unpacked == sum(path.stat().st_size for path in unpacked.rglob("*") if path.is_file())


def test_a_dependency_that_is_missing_fails_the_build_and_is_named(repository, installed, tmp_path):
    write(repository / "lambdas" / "tiny" / "handler.py", "import pandas\n")
    with pytest.raises(BundleError, match="No module named 'pandas'") as raised:
        build(repository, tmp_path / "store")
    assert "lambdas.tiny.handler in the tiny bundle does not import by itself" in str(raised.value)


def test_what_slimming_took_too_much_of_fails_the_build(repository, installed, tmp_path):
    recipe = Recipe("tiny", packages=("andamio",), imports=("dependency", "dependency.tests"), budget_mib=1)
    with pytest.raises(BundleError, match="slimming"):
        build(repository, tmp_path / "store", recipe)


def test_boto3_is_in_the_runtime(repository, installed, tmp_path):
    write(repository / "lambdas" / "tiny" / "handler.py", "import boto3\n")
    assert build(repository, tmp_path / "store").path.is_file()


def test_a_bundle_over_its_budget_fails_the_build_with_both_sizes(repository, installed, tmp_path):
    write(repository / "andamio" / "large.bin", "x" * 2**20)
    with pytest.raises(BundleError, match=r"takes 1\.0 MiB unzipped, its budget is 1 "):
        build(repository, tmp_path / "store", platform=platforms.X86_64)
    build(repository, tmp_path / "store", platform=platforms.HOST)  # no machine of AWS's: an emulator alone runs it


def test_a_failed_build_leaves_nothing_that_a_later_one_would_take_for_a_bundle(repository, installed, tmp_path):
    write(repository / "lambdas" / "tiny" / "handler.py", "raise RuntimeError\n")
    with pytest.raises(BundleError):
        build(repository, tmp_path / "store")
    left = {path.name for path in (tmp_path / "store").iterdir()}
    assert {name for name in left if not name.endswith(".lock")} == {name for name in left if "-dependencies-" in name}


def test_a_file_that_we_and_a_dependency_both_bring_is_refused(repository, installed, tmp_path):
    write(repository / "andamio" / "x.py", "")
    write(repository / "dependency" / "__init__.py", "")
    recipe = Recipe("tiny", packages=("andamio", "dependency"), imports=("dependency",), budget_mib=1)
    with pytest.raises(BundleError, match=r"dependency/__init__\.pyc comes both"):
        build(repository, tmp_path / "store", recipe)


def test_a_function_without_a_handler_is_said(repository, installed, tmp_path):
    (repository / "lambdas" / "tiny" / "handler.py").unlink()
    with pytest.raises(BundleError, match=r"needs lambdas/tiny/handler\.py"):
        build(repository, tmp_path / "store")


def test_assets_that_were_not_installed_are_said(repository, installed, tmp_path):
    recipe = Recipe("tiny", ("andamio",), ("dependency",), 1, assets=(("static/", ("node_modules/x.js",)),))
    with pytest.raises(BundleError, match=r"node_modules/x\.js, which is not there.*npm ci"):
        build(repository, tmp_path / "store", recipe)
    write(repository / "node_modules" / "x.js", "1")
    assert "static/x.js" in archive.names(build(repository, tmp_path / "store", recipe).path)


def test_a_disk_that_is_full_is_said(repository, installed, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "write_zip", full)
    with pytest.raises(BundleError, match=r"No space left on device.*about 2 GB"):
        build(repository, tmp_path / "store")


def test_only_the_zips_that_were_used_last_are_kept(repository, installed, tmp_path):
    for edit in range(store.MAX_KEPT + 2):
        write(repository / "andamio" / "names.py", f"PART = {edit}\n")
        last = build(repository, tmp_path / "store")
        os.utime(last.path, (edit, edit))
    kept = [path for path in (tmp_path / "store").glob("tiny-*.zip") if "-dependencies-" not in path.name]
    assert len(kept) == store.MAX_KEPT
    assert last.path in kept


def test_the_real_bundles_take_the_page_behind_docs_and_leave_the_command_line_at_home():
    held = sources(RECIPES["api"])
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"} <= {
        Path(name).name for name in held if name.startswith("lambdas/api/static/")
    }
    for recipe in RECIPES.values():
        held = sources(recipe)
        assert f"lambdas/{recipe.name}/handler.py" in held
        assert "andamio/adapters/s3.py" in held
        assert not [
            name for name in held if name.startswith("andamio/cli/") or name.endswith(("memory.py", "folder.py"))
        ]
        others = {name.split("/")[1] for name in held if name.startswith("lambdas/") and name.count("/") > 1}
        assert others == {recipe.name}
    assert not [name for name in sources(RECIPES["api"]) if name.startswith("training/")]


def test_the_registry_has_the_source_of_what_a_registered_model_carries():
    inside = sources(RECIPES["registry"])
    assert inside["sources/andamio/records/cells.py.txt"] == inside["andamio/records/cells.py"]
    assert not [name for name in inside if name.startswith("sources/andamio/cli")]
    assert not [name for name in sources(RECIPES["train"]) if name.startswith("sources/")]


def test_every_budget_leaves_ten_mebibytes_of_lambdas_limit():
    assert all(recipe.budget_mib <= LAMBDA_LIMIT_MIB - 10 for recipe in RECIPES.values())


def test_the_command_says_what_it_does_not_know(capsys):
    assert bundling.main(["apo"]) == 1
    assert f"one of {', '.join(RECIPES)}. Got 'apo'" in capsys.readouterr().err
    assert bundling.main(["api", "--platform", "sparc"]) == 1
    assert "one of arm64, host, x86_64. Got 'sparc'" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the host is no platform of AWS")
def test_on_linux_the_emulator_runs_the_bytes_that_aws_gets():
    assert platforms.choose("host") in (platforms.X86_64, platforms.ARM64, platforms.HOST)
    assert platforms.choose("host").is_this_machine


def test_uv_is_found_where_it_is_said_to_be_or_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV", "")
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(uv, "REPOSITORY", tmp_path)
    with pytest.raises(BundleError, match=r"\$UV, on PATH or in \.andamio/uv/bin"):
        uv.find_uv()
    for place in ("home/uv/bin/uv", "uv", "given"):
        write(tmp_path / place, "#!/bin/sh\n")
        (tmp_path / place).chmod(0o755)
        monkeypatch.setenv("UV", str(tmp_path / "given"))
        assert uv.find_uv() == str(tmp_path / place)


def test_what_uv_could_not_do_is_told_in_its_own_words(monkeypatch, tmp_path):
    write(tmp_path / "uv", "#!/bin/sh\necho 'no such group' >&2\nexit 2\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("UV", str(tmp_path / "uv"))
    with pytest.raises(BundleError, match=r"'nothing' from uv\.lock \(exit code 2\):\nno such group"):
        uv.locked_requirements("nothing")


def test_a_digest_tells_different_contents_apart():
    assert archive.digest({"a": "bc"}) != archive.digest({"ab": "c"})
    assert archive.digest({"a": "b", "c": "d"}) == archive.digest({"c": b"d", "a": "b"})
    assert assembly.MIB == 1_048_576
