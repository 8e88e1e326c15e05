"""What is taken out of installed packages, and what must stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.packing import slimming
from infra.packing.platforms import HOST, X86_64

GOES = [
    "bin/f2py",
    "numpy/tests/test_core.py",
    "numpy/core/tests/data/big.bin",
    "numpy/__pycache__/x.cpython-313.pyc",
    "numpy/__init__.pyi",
    "numpy/core/include/numpy/arrayobject.h",
    "scipy/a.pyx",
    "onnxruntime/capi/libonnxruntime.so.1.31.1",
    "onnxruntime/tools/check.py",
    "onnx/backend/test/case.py",
    "joblib/test/data.pkl",
    "numpy-2.dist-info/RECORD",
    "pyarrow/libarrow_flight.so.2500",
    "pyarrow/libarrow_python_flight.so.2500.1.0",
    "pyarrow/_flight.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/_s3fs.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/_orc.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.2500.1.0",
    "pyarrow/include/arrow/api.h",
    "pyarrow/lib.pxd",
]
STAYS = [
    "numpy/__init__.py",
    "numpy/testing/__init__.py",
    "pandas/_testing/__init__.py",
    "numpy/bin/kept.py",
    "numpy.libs/libscipy_openblas.so",
    "onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-x86_64-linux-gnu.so",
    "numpy-2.dist-info/METADATA",
    "numpy-2.dist-info/licenses/LICENSE.txt",
    "mlflow-3.dist-info/entry_points.txt",
    "pyarrow/lib.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/libarrow.so.2500",
    "pyarrow/libarrow_python.so.2500",
    "pyarrow/libarrow_substrait.so.2500",
    "pyarrow/_parquet.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/_dataset.cpython-313-x86_64-linux-gnu.so",
]


@pytest.fixture
def tree(tmp_path):
    for name in (*GOES, *STAYS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_what_no_function_reads_goes_and_the_rest_stays(tree):
    slimming.slim(tree, HOST)
    left = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    assert left == sorted(STAYS)


def test_libraries_are_stripped_but_never_the_bundled_openblas(tree, monkeypatch):
    stripped = []
    monkeypatch.setattr(slimming, "find_stripper", lambda platform: "strip")
    monkeypatch.setattr(
        slimming.subprocess, "run", lambda command, **_: stripped.append(command) or subprocess.CompletedProcess([], 0)
    )
    slimming.slim(tree, X86_64)
    assert {tuple(command[:2]) for command in stripped} == {("strip", "--strip-unneeded")}
    libraries = {name for name in STAYS if ".so" in name and not name.startswith("numpy.libs/")}
    assert {str(Path(command[2]).relative_to(tree)) for command in stripped} == libraries


def test_a_machine_without_strip_builds_larger_bundles(tree, monkeypatch):
    monkeypatch.setattr(slimming.shutil, "which", lambda name: None)
    assert slimming.find_stripper(X86_64) == ""
    slimming.slim(tree, X86_64)
