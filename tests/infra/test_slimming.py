"""What is taken out of installed packages, and what must stay."""

from __future__ import annotations

import subprocess

import pytest

from infra.packing import slimming
from tests.support.elf import library

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
    "sklearn/datasets/__init__.py",
    "sklearn/datasets/_svmlight_format_fast.cpython-313-x86_64-linux-gnu.so",
    "scipy/io/_fast_matrix_market/_fmm_core.cpython-313-x86_64-linux-gnu.so",
    "scipy/signal/_signaltools.py",
    "scipy/stats/sampling.py",
    "scipy/stats/_unuran/unuran_wrapper.cpython-313-x86_64-linux-gnu.so",
    "scipy/_lib/_test_ccallback.cpython-313-aarch64-linux-gnu.so",
    "scipy/integrate/_test_multivariate.cpython-313-x86_64-linux-gnu.so",
    "numpy/_core/_simd.cpython-313-x86_64-linux-gnu.so",
    "numpy/_core/_umath_tests.cpython-313-x86_64-linux-gnu.so",
]
STAYS = [
    "numpy/__init__.py",
    "numpy/testing/__init__.py",
    "pandas/_testing/__init__.py",
    "numpy/bin/kept.py",
    "numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so",
    "scipy/optimize/_highspy/_core.cpython-313-x86_64-linux-gnu.so",
    "scipy/stats/_stats.cpython-313-x86_64-linux-gnu.so",
    "scipy/stats/_resampling.py",
    "sklearn/svm/_libsvm.cpython-313-x86_64-linux-gnu.so",
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
    slimming.slim(tree)
    left = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    assert left == sorted(STAYS)


def test_libraries_lose_their_symbols_but_never_the_bundled_openblas(tree):
    libraries = {name for name in STAYS if ".so" in name}
    for name in libraries:
        (tree / name).write_bytes(library())
    slimming.slim(tree)
    smaller = {name for name in libraries if (tree / name).stat().st_size < len(library())}
    assert smaller == libraries - {"numpy.libs/libscipy_openblas.so"}
    assert (tree / "numpy.libs/libscipy_openblas.so").read_bytes() == library()


def test_slimming_runs_no_program(tree, monkeypatch):
    for call in ("run", "Popen"):
        monkeypatch.setattr(subprocess, call, None)
    monkeypatch.setenv("PATH", "/nowhere")
    slimming.slim(tree)
