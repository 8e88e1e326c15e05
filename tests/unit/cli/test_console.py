"""What a person reads while something is under way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.cells import cell_len

from andamio.cli import console
from andamio.cli.models.follow import follow, reason
from andamio.errors import ExecutionFailed, ObjectNotFound


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


def test_an_execution_that_a_killed_cloud_forgot_is_a_reason_to_give_the_command_again() -> None:
    def unknown(arn: str) -> None:
        raise ObjectNotFound(f"there is no execution {arn}")

    account = SimpleNamespace(execution=unknown)
    with pytest.raises(ExecutionFailed, match=r"andamio status .* Then give this command again") as error:
        follow(account, "arn:aws:states:::execution:etl:1", "ETL")  # type: ignore[arg-type]
    assert "arn:aws:states:::execution:etl:1" in str(error.value)
