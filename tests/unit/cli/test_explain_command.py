"""`andamio explain`: bars that a person reads, for one record or several."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from andamio.cli import main
from andamio.cli.models import api, show
from tests.support.api import Api
from tests.support.releases import heart, serve
from tests.unit.api.conftest import LOAN, PATIENT, loans


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Api]:
    """APIs in this process, which the command asks instead of a deployed one."""
    served = {"heart": Api(), "loans": Api(problem="loans")}
    serve(served["heart"].objects, heart())
    serve(served["loans"].objects, loans())

    def call(deployed: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        assert (method, path) == ("POST", "/explain")
        return served[deployed["problem"]].post(path, body).json

    monkeypatch.setattr(api, "call", call)
    monkeypatch.setattr(main, "_deployed", lambda problem, stage: {"problem": problem or "heart"})
    return served


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: str) -> str:
    """What the command prints."""
    console = Console(width=160, record=True, highlight=False)
    monkeypatch.setattr(show, "out", console)
    result = CliRunner().invoke(main.app, ["explain", *arguments], input=stdin)
    assert result.exit_code == 0, result.output
    return console.export_text()


def test_every_feature_has_a_bar_to_its_side_and_the_largest_comes_first(
    served: dict[str, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = served["heart"].post("/explain", {"features": PATIENT}).json
    text = said(monkeypatch, stdin=json.dumps(PATIENT))
    told = [item for item in reply["contributions"] if not 0 < abs(item["contribution"]) <= item["margin"]]
    rows = [line.split("│") for line in text.splitlines() if "│" in line]
    assert [above.replace("█", "").split()[0] for _, above in rows] == [item["feature"] for item in told]
    lengths = [(below + above).count("█") for below, above in rows]
    assert lengths == sorted(lengths, reverse=True)
    for (below, above), item in zip(rows, told, strict=True):
        assert "█" not in (above if item["contribution"] < 0 else below)
    assert f"{reply['average']:.1%}  Heart disease detected, on average" in text
    assert f"{reply['probability']:.1%}  Heart disease detected, for this record" in text


def test_what_cannot_be_told_from_zero_is_counted_and_not_shown(
    served: dict[str, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = served["heart"].post("/explain", {"features": PATIENT}).json
    first, *others = reply["contributions"]
    wide = [first | {"margin": 0.001}, *(item | {"margin": 1.0} for item in others)]
    monkeypatch.setattr(api, "call", lambda *_: reply | {"contributions": wide})
    text = said(monkeypatch, stdin=json.dumps(PATIENT))
    assert text.count("│") == 1 + sum(item["contribution"] == 0 for item in others)
    assert "± 0.1%" in text
    untold = sum(item["contribution"] != 0 for item in others)
    assert all(item["feature"] in text for item in others)
    assert f"{untold} other features together; none of them can be told from 0 within its error" in text


def test_contributions_without_a_margin_are_shown_as_an_api_of_an_earlier_version_says_them(
    served: dict[str, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = served["heart"].post("/explain", {"features": PATIENT}).json
    bare = [{name: value for name, value in item.items() if name != "margin"} for item in reply["contributions"]]
    monkeypatch.setattr(api, "call", lambda *_: reply | {"contributions": bare})
    text = said(monkeypatch, stdin=json.dumps(PATIENT))
    assert text.count("│") == len(bare)
    assert "±" not in text


def test_several_records_are_explained_and_what_is_private_is_only_named(
    served: dict[str, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(monkeypatch, "--problem", "loans", stdin=json.dumps([LOAN, LOAN]))
    assert text.count("held at the record's values: name, born_on") == 2
    assert "no value" in text
    assert "1990" not in text
