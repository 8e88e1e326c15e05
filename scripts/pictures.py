"""The pictures of the tutorial: what commands print in a terminal, as SVG.

    make demo && .venv/bin/python scripts/pictures.py

Runs the commands of `docs/tutorial.md` that are shown there on the cloud that the demo left, and writes docs/pictures/.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
SHOWN = ("status", "models", "predict", "explain", "batches")
"""The commands that have a picture."""
WIDTH = 110


def commands() -> dict[str, list[str]]:
    """Name -> words of the commands that are shown, as the tutorial gives them."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return {words[1]: words for words in lines if words[0].endswith("/andamio") and words[1] in SHOWN}


def picture(words: list[str]) -> str:
    """What a command prints, as SVG; raises `CalledProcessError` when it fails."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    done = subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    # The default id is random; one made of the name keeps the file the same where the output is.
    console.print(Text.from_ansi(done.stdout))
    svg = console.export_svg(title=f"andamio {words[1]}", unique_id=f"andamio-{words[1]}")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts of a CDN: the site needs no network


def main() -> None:
    """Write every picture."""
    found = commands()
    missing = set(SHOWN) - set(found)
    if missing:
        sys.exit(f"docs/tutorial.md does not run {', '.join(sorted(missing))}: correct the tutorial, or SHOWN")
    FOLDER.mkdir(exist_ok=True)
    for name, words in found.items():
        (FOLDER / f"{name}.svg").write_text(picture(words))
        print(f"docs/pictures/{name}.svg")


if __name__ == "__main__":
    main()
