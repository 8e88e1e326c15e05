"""What a function never reads at run time, taken out of a folder of installed packages.

Every rule was tried by importing the result; `importing` tries it again at every build. The rules are
about kinds of files, with a short list of paths for the two packages that carry a second copy of themselves.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.packing.platforms import Platform

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
    # Headers and sources for those who compile against it.
    "pyarrow/include",
    "pyarrow/src",
    # Fixtures of test suites that are not in a folder called tests.
    "joblib/test",
    "google/protobuf/testdata",
    # Sample data sets.
    "sklearn/datasets/data",
    "sklearn/datasets/images",
    "sklearn/datasets/descr",
)


def slim(tree: Path, platform: Platform) -> None:
    """Delete from an installed tree what no function reads, and strip what is left, in place."""
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
    stripper = find_stripper(platform)
    if stripper:
        for library in _libraries(tree):
            # A library that cannot be stripped is only larger: the size budget has the last word.
            subprocess.run([stripper, "--strip-unneeded", str(library)], capture_output=True, check=False)


def find_stripper(platform: Platform) -> str:
    """The `strip` that understands a platform's libraries; empty when this machine has none."""
    if not platform.wheels:
        return ""
    native = ["strip"] if platform.is_this_machine else []
    gnu = {"x86_64": "x86_64-linux-gnu-strip", "arm64": "aarch64-linux-gnu-strip"}[platform.name]
    return next((found for name in (*native, gnu, "llvm-strip") if (found := shutil.which(name))), "")


def _libraries(tree: Path) -> Iterator[Path]:
    for path in sorted(tree.rglob("*.so*")):
        # Stripping the bundled OpenBLAS in numpy.libs/ breaks it.
        inside_libs = any(part.endswith(".libs") for part in path.relative_to(tree).parts)
        if path.is_file() and not path.is_symlink() and not inside_libs:
            yield path


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
