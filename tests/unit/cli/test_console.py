"""What a person reads while something is under way."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from andamio.cli import console
from andamio.cli.models.follow import reason


def test_progress_is_one_line_whatever_a_program_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.err, "width", 80)
    line = console.one_line("Deploying: [/red] ✨ arn:aws:cloudformation\n" + "x" * 200)
    assert cell_len(line.plain) <= 77
    assert line.plain.startswith("Deploying: [/red] ✨ arn")


def test_a_steps_own_words_are_no_markup() -> None:
    with console.step("ETL of [/x].csv") as step:
        step.update("[/b] [1/1]")
    console.done("[/x].csv is there")
    console.note("a [/b]")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ('{"errorMessage": "No data yet.", "errorType": "TrainingError"}', "No data yet."),
        ("The raw files have no rows.", "The raw files have no rows."),
        ("[1]", "[1]"),
        ("", "no cause was given"),
    ],
)
def test_a_functions_error_is_read_for_its_message(cause: str, said: str) -> None:
    assert reason(cause) == said
