"""The table of behaviours and targets: in a terminal, and in `localstack/gaps.md`."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance import verdicts
from tests.conformance.targets import LOCAL
from tests.conformance.verdicts import Verdict

FOLDER = Path(__file__).parent
GAPS = FOLDER.parents[1] / "localstack" / "gaps.md"
BEGIN, END = "<!-- written by `make conformance` -->", "<!-- end of what is written -->"
Found = Mapping[tuple[str, str], tuple[Verdict, float]]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What AWS does, where AWS says so, and what Andamio does where a target differs."""

    id: str
    sentence: str
    source: str
    here: str = ""


def behaviour_of(test: Callable[..., Any]) -> Behaviour:
    """The behaviour of a test, from its name and its docstring; raises `ValueError` where that does not say enough."""
    text = inspect.getdoc(test) or ""
    parts = dict(re.findall(r"^(Source|Here): (.+?)(?=\n\w+: |\Z)", text, re.MULTILINE | re.DOTALL))
    sentence = " ".join(text.split("\n\n")[0].split())
    if not sentence.endswith(".") or "Source" not in parts:
        raise ValueError(f"{test.__name__}: expected a docstring of a sentence, a blank line, and 'Source: ...'")
    room = test.__module__.rsplit(".test_", 1)[-1]
    own = {key: " ".join(value.split()) for key, value in parts.items()}
    return Behaviour(
        f"{room}/{test.__name__.removeprefix('test_').replace('_', '-')}", sentence, own["Source"], own.get("Here", "")
    )


def behaviours() -> Iterator[Behaviour]:
    """Every behaviour, in the order of the files."""
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.conformance.{path.stem}")
        for name, test in vars(module).items():
            if name.startswith("test_"):
                yield behaviour_of(test)


def changed(behaviour: Behaviour, target: str, known: Verdict | None, came: Verdict) -> str:
    """What a person reads when a target answers otherwise than it did."""
    before = f"was known to be '{known}'" if known else "is not in the table yet"
    after = f"expected of AWS: {behaviour.sentence} ({behaviour.source})"
    if target == "aws":
        return f"{behaviour.id} on AWS: '{came}'; {after} The test, or what Andamio relies on, is wrong."
    return (
        f"{behaviour.id} on {target} {before}, and came out as '{came}'; {after} Where the target has changed, see "
        "what was built around the gap, and renew the table: make conformance."
    )


def lines(found: Found) -> Iterator[str]:
    """The table for a terminal: a line for each verdict, and how many there are of each."""
    for (name, target), (verdict, seconds) in found.items():
        yield f"{target:<11} {seconds:6.1f} s  {name:<42} {verdict}"
    for target in dict.fromkeys(target for _, target in found):
        own = {key: it for key, it in found.items() if key[1] == target}
        count = {kind: sum(it.kind == kind for it, _ in own.values()) for kind in ("works", "differs", "missing")}
        said = ", ".join(f"{number} {kind}" for kind, number in count.items())
        yield f"{target}: {said}; {sum(seconds for _, seconds in own.values()):.0f} s"


def renew(found: Found) -> bool:
    """Write what came into `expected.json` and the page; returns whether a verdict is another one than before."""
    known, seconds = verdicts.read(), times(GAPS.read_text())
    now: dict[str, dict[str, Verdict]] = {}
    for behaviour in behaviours():
        now[behaviour.id] = {
            target: found.get((behaviour.id, target), (known.get(behaviour.id, {}).get(target), 0))[0]
            for target in LOCAL
            if (behaviour.id, target) in found or target in known.get(behaviour.id, {})
        }
    seconds |= {key: value for key, (_, value) in found.items()}
    verdicts.write(now)
    GAPS.write_text(between(GAPS.read_text(), page(now, seconds)))
    return {name: {t: v.kind for t, v in it.items()} for name, it in known.items()} != {
        name: {t: v.kind for t, v in it.items()} for name, it in now.items()
    }


def page(known: Mapping[str, Mapping[str, Verdict]], seconds: Mapping[tuple[str, str], float]) -> str:
    """The table in Markdown, with the seconds that each verdict took."""
    rows = []
    for it in behaviours():
        cells = [cell(known.get(it.id, {}).get(target), seconds.get((it.id, target))) for target in LOCAL]
        rows.append([f"`{it.id}`", f"{it.sentence} ({it.source})", *cells, it.here])
    head = ["behaviour", "on AWS", *LOCAL, "so, here"]
    return "\n".join(
        f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |"
        for row in [head, ["---"] * len(head), *rows]
    ).replace("|  |", "| |")


def cell(verdict: Verdict | None, seconds: float | None) -> str:
    """One verdict: `works (0.1 s)`, **differs**: what came, or missing: why."""
    if verdict is None:
        return "not run"
    took = f" ({seconds:.1f} s)" if seconds is not None and verdict.kind != "missing" else ""
    kind = verdict.kind if verdict.kind == "works" else f"**{verdict.kind}**"
    return f"{kind}{took}" + (f": {verdict.came}" if verdict.came else "")


def times(text: str) -> dict[tuple[str, str], float]:
    """The seconds that a written page holds, by behaviour and target."""
    found = {}
    for row in text.splitlines():
        parts = [part.strip() for part in row.split(" | ")]
        if re.fullmatch(r"\| `[\w/-]+`", parts[0]) and len(parts) >= 2 + len(LOCAL):
            for target, written in zip(LOCAL, parts[2:], strict=False):
                if took := re.search(r"\((\d+\.\d) s\)", written):
                    found[parts[0].strip("| `"), target] = float(took.group(1))
    return found


def between(text: str, written: str) -> str:
    """A page with other text between the marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{written}\n\n{END}{rest.split(END)[1]}"
