"""What a function never reads at run time, taken out of a folder of installed packages.

Every rule was tried by importing the result; `importing` tries it again at every build, and a test trains a
model of each family out of the bundle. No rule runs a program: every machine takes the same bytes out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from infra.packing import elf

# Folders of tests, at any depth; console scripts, at the top only.
TESTS = {"tests", "__pycache__"}
SCRIPTS = "bin"
# Headers, sources of compiled modules, stubs: for compilers and editors.
BUILD_FILES = {".pyi", ".pxd", ".pxi", ".pyx", ".h", ".hpp", ".c", ".cc", ".cpp", ".a", ".lib", ".f90", ".f"}
# Of a package's metadata only what importlib.metadata reads (versions, plugins) and the licences stay.
METADATA_DROPPED = {"RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "top_level.txt"}

UNUSED = (
    # The C library of ONNX Runtime, 28 MiB: the Python module holds a second copy and does not link to it.
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/capi/libonnxruntime.*dylib",
    # Converters and optimizers for developers.
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/quantization",
    "onnxruntime/datasets",
    # The conformance suite of the ONNX standard.
    "onnx/backend/test",
    # Arrow's network protocol and the file systems that it would reach by itself: functions are given bytes.
    "pyarrow/*flight*",
    "pyarrow/_azurefs.*",
    "pyarrow/_gcsfs.*",
    "pyarrow/_hdfs.*",
    "pyarrow/_s3fs.*",
    # Formats and query plans that no batch comes in. libarrow_substrait itself stays: every module links to it.
    "pyarrow/_dataset_orc.*",
    "pyarrow/_orc.*",
    "pyarrow/_substrait.*",
    "pyarrow/_pyarrow_cpp_tests.*",
    # What would be links are copies in a wheel; the loader asks for the one of them that is called libNAME.so.N.
    "pyarrow/libarrow*.so",
    "pyarrow/libarrow*.so.*.*.*",
    # Pydantic's first version within its second: FastAPI alone asks for it, and does without.
    "pydantic/v1",
    # Headers and sources for those who compile against it.
    "pyarrow/include",
    "pyarrow/src",
    # Fixtures of test suites that are not in a folder called tests.
    "joblib/test",
    "google/protobuf/testdata",
    # Sample data sets.
    "sklearn/datasets",
    # Parts of SciPy for other work than fitting: nothing of scikit-learn that a model needs imports them.
    "scipy/cluster",
    "scipy/fftpack",
    "scipy/io",
    "scipy/odr",
    "scipy/signal",
    "scipy/stats/_unuran",
    "scipy/stats/_sampling.py",
    "scipy/stats/sampling.py",
    # Compiled modules that only tests load.
    "numpy/_core/_simd.*",
    "numpy/_core/*_tests.*.so",
    "scipy/**/_test_*.so",
    "scipy/ndimage/_ctest.*",
    "scipy/ndimage/_cytest.*",
)


def slim(tree: Path) -> None:
    """Delete from an installed tree what no function reads, and cut symbols off the libraries left, in place."""
    for pattern in UNUSED:
        for path in list(tree.glob(pattern)):
            _delete(path)
    _delete(tree / SCRIPTS)
    for path in sorted(tree.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            if path.name in TESTS or path.name == "sboms":
                _delete(path)
        elif path.suffix in BUILD_FILES or (path.parent.name.endswith(".dist-info") and path.name in METADATA_DROPPED):
            path.unlink(missing_ok=True)
    for library in _libraries(tree):
        body = library.read_bytes()
        cut = elf.without_symbols(body)
        if len(cut) < len(body):
            library.write_bytes(cut)


def _libraries(tree: Path) -> Iterator[Path]:
    for path in sorted(tree.rglob("*.so*")):
        # What an editor of wheels put in numpy.libs/ and its like was laid out anew, OpenBLAS among it: as it came.
        inside_libs = any(part.endswith(".libs") for part in path.relative_to(tree).parts)
        if path.is_file() and not path.is_symlink() and not inside_libs:
            yield path


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
