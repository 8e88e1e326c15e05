"""The commands of the README, the tutorial and the page on files do what the pages say: each is run as it stands there.

Names that a reader replaces (`patients.csv`, `BATCH_BUCKET`, ...) are replaced here too. A block under a comment
`<!-- not run: why -->` is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import HEART, REPO, Clone, Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("heart_again")]

PAGES = ("README.md", "docs/tutorial.md", "docs/batch.md")
BLOCK = re.compile(r"(?:^<!-- (?P<why>not run: [^>]*) -->\n)?^```sh\n(?P<lines>.*?)^```", re.MULTILINE | re.DOTALL)
# What costs minutes or ends the run, and is run by the suite elsewhere.
ELSEWHERE = ("make test", "make down", "make demo")


def commands(page: str) -> list[str]:
    """The command lines of a page that are run."""
    text = (REPO / page).read_text()
    lines = [
        line.strip()
        for block in BLOCK.finditer(text)
        if not block["why"]
        for line in block["lines"].replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if line and not line.startswith(("#", *ELSEWHERE))]


@pytest.fixture(scope="module")
def reader(clone: Clone, heart: Deployed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of somebody who reads the pages, and what stands there for the names that they replace."""
    folder = tmp_path_factory.mktemp("reader")
    for name in (".venv", "problems"):
        (folder / name).symlink_to(REPO / name)
    (folder / ".andamio").mkdir()
    # Of heart's rows a part: the whole file was scored before, and would be answered with that result.
    patients = (HEART / "heart.csv").read_text().splitlines(keepends=True)
    (folder / "patients.csv").write_text("".join(patients[:100]))
    # A batch with predictions of its own: a file that was scored before has those of the batch before.
    batches = heart.request("GET", "/batches?limit=20").json()["batches"]
    lookups = (
        batch for batch in batches if heart.request("GET", f"/predictions/{batch['batch']}-2").status_code == 200
    )
    batch = next(lookups)
    replaced = {
        "BATCH_BUCKET": heart.outputs["buckets"]["batch"],
        "PREDICTION_ID": f"{batch['batch']}-2",
        "ID": batch["batch"],
    }
    return folder, replaced


def run(line: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line in bash: `make` in the clone, everything else where the reader's files are."""
    place = REPO if line.startswith("make ") else folder
    return subprocess.run(
        ["bash", "-ec", line], cwd=place, env=dict(env), capture_output=True, text=True, timeout=900, check=False
    )


def there(program: str) -> bool:
    """Whether a program that the pages name, and the suite does not need, is on this machine."""
    found = shutil.which(program)
    return found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(
    page: str, clone: Clone, heart: Deployed, reader: tuple[Path, dict[str, str]]
) -> None:
    folder, replaced = reader
    env = clone.env | {
        "API_URL": heart.outputs["api_url"],
        "API_KEY": heart.outputs["api_key"],
        "AWS_ENDPOINT_URL": heart.outputs["endpoint_url"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": heart.outputs["region"],
    }
    lines = commands(page)
    assert lines
    for line in lines:
        words = re.sub(r"\b(BATCH_BUCKET|PREDICTION_ID|ID)\b", lambda match: replaced[match[1]], line)
        program = words.split()[0]
        if program in ("aws", "curl") and not there(program):
            continue
        done = run(words, folder, env)
        assert done.returncode == 0, f"{page}: {line}\n{done.stdout}{done.stderr}"
        # curl ends well whatever the status; our errors are problem details.
        assert '"status": 4' not in done.stdout.replace('":', '": '), f"{page}: {line}\n{done.stdout}"
