"""What each reader makes of the score function's bundle: unzipped size on x86-64, slimmed as bundles are.

    python -m benchmarks.batch.sizes [--write]

Installed by uv next to what the function needs anyway (onnxruntime, NumPy, pydantic), at the versions that
`readers` compares, slimmed and compiled by the project's own rules. Prints a Markdown table; takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.batch import report
from infra.packing import bytecode, slimming, uv
from infra.packing.assembly import MIB
from infra.packing.platforms import X86_64
from infra.packing.recipes import LAMBDA_LIMIT_MIB

READERS = {
    "none of them": (),
    "pyarrow": ("pyarrow==25.0.1",),
    "polars": ("polars==2.1.0", "polars-runtime-32==2.1.0"),
    "duckdb": ("duckdb==2.0.0",),
    "pandas, fastparquet": (
        "pandas==3.1.1",
        "python-dateutil",
        "tzdata",
        "fastparquet==2026.9.0",
        "cramjam",
        "fsspec",
        "packaging",
    ),
}


def main() -> None:
    """Build a bundle a reader, as far as its dependencies go, and print its size."""
    lines = uv.locked_requirements("score").replace("\\\n", " ").splitlines()
    shared = [line.split(" ")[0] for line in lines if line and not line.startswith("pyarrow")]
    table = [f"| reader | bundle, MiB of {LAMBDA_LIMIT_MIB} |", "|---|---:|"]
    for name, own in READERS.items():
        with tempfile.TemporaryDirectory() as folder:
            listing, tree = Path(folder) / "requirements.txt", Path(folder) / "score"
            listing.write_text("\n".join((*shared, *own)))
            uv.install(listing, tree, X86_64)
            slimming.slim(tree)
            bytecode.compile_sources(tree)
            size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
        table.append(f"| {name} | {size / MIB:.0f} |")
    print("\n".join(table))
    if "--write" in sys.argv:
        report.put("sizes", "\n".join(table))


if __name__ == "__main__":
    main()
