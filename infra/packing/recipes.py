"""What each function's zip holds, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra import REPOSITORY
from infra.packing import BundleError

LAMBDA_LIMIT_MIB = 250
"""What Lambda takes, unzipped and with layers, in 2^20 bytes."""

# Of the core, what only a developer's machine needs stays at home.
LEFT_OUT = ("andamio/cli/", "andamio/testing/", "andamio/adapters/memory.py")

SWAGGER_UI = "node_modules/swagger-ui-dist"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One bundle. `name` is also its dependency group in pyproject.toml and its package under lambdas/.

    packages    folders of ours that go in, beside lambdas/NAME
    imports     third-party modules that must import from the bundle alone
    budget_mib  unzipped size that fails the build, in 2^20 bytes
    assets      folder in the zip -> files of the repository that go there
    readable    folders of ours that go in as source too, as sources/PATH.txt: bytecode can be run and not passed on
    """

    name: str
    packages: tuple[str, ...]
    imports: tuple[str, ...]
    budget_mib: int
    assets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    readable: tuple[str, ...] = ()


API = Recipe(
    "api",
    packages=("andamio", "scoring"),
    imports=("fastapi", "mangum", "numpy", "onnxruntime", "pydantic"),
    budget_mib=88,
    assets=(
        (
            "lambdas/api/static/",
            tuple(f"{SWAGGER_UI}/{file}" for file in ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE")),
        ),
    ),
)
# The charts of a page are drawn by its reader's browser, from what the page brings along.
CHARTS = (
    "andamio/pages/static/",
    tuple(
        f"node_modules/{file}"
        for file in (
            "vega/build/vega.min.js",
            "vega-lite/build/vega-lite.min.js",
            "vega-interpreter/build/vega-interpreter.js",
        )
    ),
)
ETL = Recipe(
    "etl",
    packages=("andamio", "etl"),
    imports=(
        "altair",
        "jinja2",
        "numpy",
        "pandas",
        "pyarrow",
        "pyarrow.compute",
        "pyarrow.csv",
        "pyarrow.parquet",
        "pydantic",
    ),
    budget_mib=174,
    assets=(CHARTS,),
)
TRAIN = Recipe(
    "train",
    packages=("andamio", "training"),
    imports=(
        "onnx",
        "onnxruntime",
        "pandas",
        "pydantic",
        "skl2onnx",
        "sklearn.compose",
        "sklearn.ensemble",
        "sklearn.feature_selection",
        "sklearn.impute",
        "sklearn.linear_model",
        "sklearn.model_selection",
        "sklearn.neural_network",
    ),
    budget_mib=240,
)
SEARCH = Recipe(
    "search",
    packages=("andamio", "training"),
    imports=("numpy", "optuna", "pydantic"),
    budget_mib=56,
)
REGISTRY = Recipe(
    "registry",
    packages=("andamio", "training", "monitoring", "registry", "rollout"),
    readable=("andamio",),
    imports=(
        "jinja2",
        "markdown_it",
        "mlflow",
        "mlflow.onnx",
        "numpy",
        "onnx",
        "onnxruntime",
        "pandas",
        "pydantic",
        "sagemaker_mlflow",
    ),
    budget_mib=168,
)
SCORE = Recipe(
    "score",
    packages=("andamio", "scoring"),
    imports=("numpy", "onnxruntime", "pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "pydantic"),
    budget_mib=166,
)
CAPTURE = Recipe("capture", packages=("andamio", "monitoring", "rollout"), imports=("pydantic",), budget_mib=12)
MONITOR = Recipe(
    "monitor",
    packages=("andamio", "monitoring", "rollout"),
    imports=(
        "altair",
        "jinja2",
        "numpy",
        "pyarrow",
        "pyarrow.compute",
        "pyarrow.parquet",
        "pydantic",
        "scipy.special",
        "scipy.stats",
    ),
    budget_mib=240,
    assets=(CHARTS,),
)
RECIPES = {recipe.name: recipe for recipe in (API, ETL, TRAIN, SEARCH, REGISTRY, SCORE, CAPTURE, MONITOR)}


def sources(recipe: Recipe, repository: Path = REPOSITORY) -> dict[str, Path]:
    """Our own files of a bundle: name in the zip -> file, in order; raises `BundleError` where one is missing."""
    handler = f"lambdas/{recipe.name}/handler.py"
    if not (repository / handler).is_file():
        raise BundleError(f"The {recipe.name} bundle needs {handler}, which does not exist in {repository}.")
    found: dict[str, Path] = {}
    for package in recipe.packages:
        found.update(_package(repository, package))
    if (repository / "lambdas/__init__.py").is_file():
        found["lambdas/__init__.py"] = repository / "lambdas/__init__.py"
    found.update(_package(repository, f"lambdas/{recipe.name}"))
    for package in recipe.readable:
        modules = [(name, file) for name, file in _package(repository, package) if file.suffix == ".py"]
        found.update((f"sources/{name}.txt", file) for name, file in modules)
    for folder, files in recipe.assets:
        for file in files:
            if not (repository / file).is_file():
                raise BundleError(
                    f"The {recipe.name} bundle needs {file}, which is not there. "
                    "Install the Node packages first: npm ci (make does it)."
                )
            found[folder + Path(file).name] = repository / file
    return dict(sorted(found.items()))


def _package(repository: Path, package: str) -> Iterator[tuple[str, Path]]:
    root = repository / package
    if not root.is_dir():
        raise BundleError(f"A bundle needs the package {package}/, which does not exist in {repository}.")
    for path in sorted(root.rglob("*")):
        name = path.relative_to(repository).as_posix()
        compiled = path.suffix == ".pyc" or "__pycache__" in path.parts
        if path.is_file() and not compiled and not name.startswith(LEFT_OUT):
            yield name, path
