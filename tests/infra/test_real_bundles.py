"""The bundles as they are deployed: their sizes on both of Lambda's processors, and training out of one alone.

They are cut here, from locked wheels, unless the store has them ($ANDAMIO_BUNDLES): the first run takes minutes.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.names import PROBLEM_FILE, PROBLEM_PACKAGE
from infra import bundling
from infra.packing import archive, assembly, elf, store, uv
from infra.packing.platforms import ARM64, HOST, X86_64, choose
from infra.packing.recipes import LAMBDA_LIMIT_MIB, RECIPES
from tests.support.datasets import (
    DIABETES_FOLDER,
    FRUIT_FOLDER,
    HEART_FOLDER,
    ROOT,
    diabetes_cells,
    fruit_cells,
    heart_cells,
    publish,
)
from tests.support.elf import AARCH64
from tests.support.elf import X86_64 as AMD64
from training import plan
from training.documents import RoundTrials, TrialSpec
from training.families.spaces import space_of
from training.families.trainable import families_of
from training.run import Run, round_trials_file
from training.search import rounds, suggest

ROOM_MIB = 10
PROGRAM = ROOT / "tests" / "support" / "train_in_bundle.py"
SELECTED = ("univariate", "model")


@pytest.mark.parametrize(("platform", "machine"), [(X86_64, AMD64), (ARM64, AARCH64)], ids=["x86_64", "arm64"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_bundle_cut_without_any_tool_has_room_and_its_libraries_are_whole(name, platform, machine, monkeypatch):
    """A store may hold it from before: its digest says that it is made of the same, by the same rules."""
    monkeypatch.setenv("UV", uv.find_uv())
    monkeypatch.setenv("PATH", "/nowhere")
    bundle = bundling.build(RECIPES[name], platform, store.default_store())
    assert bundle.unpacked <= (LAMBDA_LIMIT_MIB - ROOM_MIB) * assembly.MIB
    with zipfile.ZipFile(bundle.path) as held:
        libraries = [entry for entry in held.namelist() if ".so" in entry]
        for library in libraries:
            body = held.read(library)
            header = elf.HEADER.unpack_from(body)
            assert (library, body[:6], header[2]) == (library, elf.ELF64_LITTLE_ENDIAN, machine)
            place, number = header[5], header[10]
            segments = list(elf.SEGMENT.iter_unpack(body[place : place + number * elf.SEGMENT.size]))
            assert len(segments) == number > 0
            assert all(segment[2] + segment[5] <= len(body) for segment in segments), library
    assert libraries


@pytest.fixture(scope="module")
def train_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The train bundle of this machine, unpacked."""
    folder = tmp_path_factory.mktemp("train")
    archive.unpack(bundling.build(RECIPES["train"], choose(HOST.name), store.default_store()).path, folder)
    return folder


@pytest.mark.parametrize(
    ("folder", "cells"),
    [(HEART_FOLDER, heart_cells), (FRUIT_FOLDER, fruit_cells), (DIABETES_FOLDER, diabetes_cells)],
    ids=["heart", "fruit", "diabetes"],
)
def test_every_family_is_fitted_calibrated_and_proven_out_of_the_bundle_alone(folder, cells, train_bundle, tmp_path):
    """What slimming takes away is nothing that a step of training, whichever its family, comes to import."""
    trials = asked(folder, cells(), tmp_path / "objects")
    layer, memory = tmp_path / "layer", ROOT / "andamio" / "adapters" / "memory.py"
    (layer / PROBLEM_PACKAGE).mkdir(parents=True)
    (layer / PROBLEM_PACKAGE / "__init__.py").touch()
    (layer / PROBLEM_PACKAGE / PROBLEM_FILE).write_bytes((folder / PROBLEM_FILE).read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", PROGRAM, train_bundle, layer, memory, tmp_path / "objects"],
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    task = Contract.load(folder).task
    assert came["trials"] == dict.fromkeys((task.floor, *trials), "done")
    assert list(came["exports"]) == trials
    assert set(families_of(task)) < set(trials)
    for trial, export in came["exports"].items():
        assert export.get("holds"), (trial, export)
        assert export["calibration"]["kind"] in (
            ("none",) if isinstance(task, Regression) else ("platt", "temperature")
        )
    assert came["fit"]["status"] == "fitted"
    assert came["decide"]["status"] == "promoted"
    assert came["plan"]["run"]


def asked(folder: Path, cells: dict[str, list[str]], file: Path) -> list[str]:
    """Write a run whose first round asks for each family, small, and each feature selection; returns the trials."""
    contract, lake, models = Contract.load(folder), MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, contract, cells)
    names = list(families_of(contract.task))
    run = Run(plan.plan(lake, models, contract, families=names, trials=len(names)).run, models)
    families = [suggest.default(family) for family in names]
    specs = [
        TrialSpec(
            id=each.family,
            family=each.family,
            # How many trees there are makes no difference here.
            params={**each.params, **{size: 15 for size in ("n_estimators",) if size in each.params}},
            selection=each.selection,
            share=each.share,
            simplicity=space_of(each.family).simplicity,
            round=1,
        )
        for each in families
    ]
    specs += [
        specs[0].model_copy(update={"id": f"{kind}-selection", "selection": kind, "share": 0.5}) for kind in SELECTED
    ]
    baselines = [spec for spec in rounds.next_trials(run.plan(), [], 1) if spec.baseline]
    run.write(round_trials_file(1), RoundTrials(run=run.id, round=1, trials=[*baselines, *specs]).to_json())
    held = [{info.key: bucket.get(info.key).body for info in bucket.list("")} for bucket in (lake, models)]
    file.write_bytes(pickle.dumps(held))
    return [spec.id for spec in specs]
