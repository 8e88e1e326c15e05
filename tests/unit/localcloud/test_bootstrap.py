"""`scripts/bootstrap.sh` in a folder with a blank in its name, with stand-ins for the tools that it calls."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]
TOOLS = ("sh", "dirname", "cat", "rm", "cmp", "mkdir", "cp", "tail", "sed", "awk", "df", "date", "chmod", "printf")
UV = """#!/bin/sh
echo "$*" >> "{log}"
case "$1" in
    --version) echo "uv {version} (stand-in)" ;;
    python) {python} ;;
    sync)
        mkdir -p .venv/bin
        printf '#!/bin/sh\\n' > .venv/bin/python
        printf '#!/bin/sh\\necho "npm $*" >> "{log}"\\nmkdir -p node_modules\\n' > .venv/bin/npm
        chmod +x .venv/bin/* ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A machine with a few tools, and a clone on it."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "my clone"

    @property
    def log(self) -> Path:
        return self.folder / "calls.log"

    def tool(self, name: str, content: str) -> None:
        file = self.folder / "bin" / name
        file.unlink(missing_ok=True)
        file.write_text(content)
        file.chmod(0o755)

    def uv(self, *, version: str = "0.13.8", python: str = "true") -> None:
        self.tool("uv", UV.format(log=self.log, version=version, python=python))

    def bootstrap(self, clone: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "scripts/bootstrap.sh"],
            cwd=clone or self.clone,
            env={"PATH": str(self.folder / "bin"), "VIRTUAL_ENV": "/elsewhere"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self) -> list[str]:
        """What was asked of uv and npm since the last time, but for uv's version."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.write_text("")
        return [line for line in lines if line != "--version"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    (made.clone / "scripts").mkdir(parents=True)
    for name in ("scripts/bootstrap.sh", "uv.lock", "pyproject.toml", ".python-version", "package-lock.json"):
        shutil.copy(REPO / name, made.clone / name)
    return made


def test_the_first_run_installs_and_the_second_does_nothing(machine):
    machine.uv()
    assert machine.bootstrap().returncode == 0
    python, node = machine.calls()[-2:]
    assert python == "sync --frozen"
    assert node.startswith("npm ci --ignore-scripts")
    again = machine.bootstrap()
    assert (again.returncode, again.stdout, again.stderr, machine.calls()) == (0, "", "", [])


@pytest.mark.parametrize(("changed", "called"), [("uv.lock", "sync --frozen"), ("package-lock.json", "npm ci")])
def test_a_changed_lock_file_is_installed_and_nothing_else(machine, changed, called):
    machine.uv()
    machine.bootstrap()
    machine.calls()
    with (machine.clone / changed).open("a") as file:
        file.write("\n")
    assert machine.bootstrap().returncode == 0
    installs = [call for call in machine.calls() if not call.startswith("python find")]
    assert [call.startswith(called) for call in installs] == [True]


def test_a_clone_that_has_moved_is_installed_again(machine):
    machine.uv()
    machine.bootstrap()
    machine.calls()
    moved = machine.clone.rename(machine.folder / "elsewhere")
    assert machine.bootstrap(moved).returncode == 0
    assert "sync --frozen" in machine.calls()


def test_a_failed_step_is_tried_again_next_time(machine):
    machine.uv()
    machine.tool(
        "uv", (machine.folder / "bin" / "uv").read_text().replace("sync)", "sync) echo no wheel; exit 1 ;; x)")
    )
    failed = machine.bootstrap()
    assert failed.returncode == 1
    assert "| no wheel" in failed.stderr
    assert "run the same command again" in failed.stderr
    machine.uv()
    assert machine.bootstrap().returncode == 0


def test_without_uv_and_python3_a_person_is_told_what_to_install(machine):
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "Neither uv nor python3" in done.stderr
    assert "https://docs.astral.sh/uv" in done.stderr


def test_without_the_venv_module_a_person_is_told_its_package(machine):
    machine.tool("python3", '#!/bin/sh\n[ "$2" != venv ] || { echo ensurepip is not available; exit 1; }\n')
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "| ensurepip is not available" in done.stderr
    assert "apt install python3-venv" in done.stderr


def test_an_uv_that_is_too_old_for_the_lock_file_is_not_used(machine):
    machine.uv(version="0.8.24")
    assert "Neither uv nor python3" in machine.bootstrap().stderr
    assert machine.calls() == []


def test_without_python_313_a_person_is_told_how_to_get_it(machine):
    machine.uv(python='echo "dns error"; exit 2')
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "| dns error" in done.stderr
    assert "There is no Python 3.13 here, and it could not be downloaded" in done.stderr
    assert "pyenv install 3.13" in done.stderr


def test_a_full_disk_is_noticed_before_anything_is_installed(machine):
    machine.uv()
    machine.tool(
        "df", "#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho disk 9 9 1048576 9 /\n"
    )
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "1024 MB left, and a first run wants 4096" in done.stderr
    assert machine.calls() == []
