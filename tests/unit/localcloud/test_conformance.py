"""What `tests/conformance` keeps: a table that is whole, verdicts that fail when they change, and who catches what."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance import conftest, table, verdicts
from tests.conformance.__main__ import main
from tests.conformance.account import Account
from tests.conformance.targets import LOCAL, Target
from tests.conformance.verdicts import Differs, Missing, Verdict

REPO = Path(__file__).parents[3]
REFERENCE = re.compile(r"`((?:tests/)?[\w/]*test_\w+\.py)(?:::(\w+))?`")
MODULE = re.compile(r"`python -m ([\w.]+)")


def refused(status: int, code: str, message: str = "") -> ClientError:
    said: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "PutObject")


def raising(error: Exception):
    def behaviour() -> None:
        raise error

    return behaviour


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Differs("another answer"), Verdict("differs", "another answer")),
        (Missing("nothing came"), Verdict("missing", "nothing came")),
        (NotImplementedError("no such call\nand more"), Verdict("missing", "no such call")),
        (refused(400, "InvalidName", "why"), Verdict("differs", "PutObject: 400 InvalidName why")),
        (refused(501, "NotImplemented"), Verdict("missing", "PutObject: 501 NotImplemented")),
        (refused(500, "InternalFailure", "This is not implemented yet"), Verdict("missing", "")),
        (Differs("andamio-conf-1a2b3c4d-5e6f7a8b of 123456789012"), Verdict("differs", "NAME of NAME")),
    ],
)
def test_what_a_target_answers_makes_a_verdict(error, verdict):
    found = verdicts.judge(raising(error))
    assert (found.kind, found.came if verdict.came else "") == (verdict.kind, verdict.came)


def test_an_error_of_a_test_is_none_of_a_target():
    with pytest.raises(KeyError):
        verdicts.judge(raising(KeyError("Contents")))


def run(
    monkeypatch, known: str | None, *, came: str, target: str = "moto", renew: bool = False, needs: str = "x"
) -> Any:
    """Run one behaviour whose verdict is known; `came` is what comes now."""

    def test_it(account) -> None:
        """A thing is so.

        Source: a page.
        """
        if came == "differs":
            raise Differs("another answer")

    test_it.__module__ = "tests.conformance.test_s3"
    options = SimpleNamespace(stash={conftest.FOUND: {}}, getoption=lambda name: renew)
    kept = {"s3/it": {target: Verdict(known)}} if known else {}  # type: ignore[arg-type]
    monkeypatch.setattr(verdicts, "read", lambda: kept)
    item: Any = SimpleNamespace(
        funcargs={"account": Account(Target(target, lacks={"runtime": "none"}))},
        function=test_it,
        obj=test_it,
        config=options,
        _fixtureinfo=SimpleNamespace(argnames=("account",)),
        iter_markers=lambda name: [SimpleNamespace(args=(needs,))],
    )
    conftest.pytest_pyfunc_call(item)
    return options.stash[conftest.FOUND]["s3/it", target][0]


@pytest.mark.parametrize("verdict", ["works", "differs"])
def test_a_verdict_that_is_known_passes_whatever_it_is(monkeypatch, verdict):
    assert run(monkeypatch, verdict, came=verdict).kind == verdict


@pytest.mark.parametrize(("known", "came"), [("works", "differs"), ("differs", "works"), ("missing", "works")])
def test_a_behaviour_that_starts_or_stops_fails_until_the_table_is_renewed(monkeypatch, known, came):
    with pytest.raises(pytest.fail.Exception, match=f"(?s)s3/it on moto was known to be '{known}'.*make conformance"):
        run(monkeypatch, known, came=came)
    assert run(monkeypatch, known, came=came, renew=True).kind == came


def test_a_behaviour_that_is_not_in_the_table_fails(monkeypatch):
    with pytest.raises(pytest.fail.Exception, match="not in the table yet"):
        run(monkeypatch, None, came="works")


def test_a_part_that_a_target_has_not_is_missing_and_is_not_run(monkeypatch):
    assert run(monkeypatch, "missing", came="works", needs="runtime") == Verdict("missing", "none")


def test_on_aws_whatever_is_written_down_everything_must_work(monkeypatch):
    with pytest.raises(pytest.fail.Exception, match="on AWS: 'differs: another answer'"):
        run(monkeypatch, "differs", came="differs", target="aws")


def test_every_behaviour_has_a_verdict_for_each_target_and_nothing_else_has():
    known = verdicts.read()
    assert list(known) == [it.id for it in table.behaviours()]
    assert [name for name, found in known.items() if list(found) != list(LOCAL)] == []


def test_what_differs_or_is_missing_somewhere_says_what_came():
    known = verdicts.read()
    assert [n for n, found in known.items() for it in found.values() if it.kind != "works" and not it.came] == []


def test_the_page_is_the_one_that_the_verdicts_make():
    text = table.GAPS.read_text()
    assert table.between(text, table.page(verdicts.read(), table.times(text))) == text, "run: make conformance"


def test_a_behaviour_says_what_aws_does_and_where_aws_says_so():
    def test_a_thing(account) -> None:
        """A thing is so."""

    with pytest.raises(ValueError, match="Source"):
        table.behaviour_of(test_a_thing)


def names_in(path: Path) -> set[str]:
    """The names of the tests of a file, those of classes too."""
    return {it.name for it in ast.walk(ast.parse(path.read_text())) if isinstance(it, ast.FunctionDef)}


def test_every_check_that_the_page_names_exists():
    text = table.GAPS.read_text()
    references = REFERENCE.findall(text)
    assert len(references) > 40
    for file, name in references:
        path = REPO / file if file.startswith("tests/") else Path(__file__).parent / file
        assert path.exists(), file
        assert not name or name in names_in(path), f"{file}::{name}"
    for module in set(MODULE.findall(text)):
        assert any((REPO / f"{module.replace('.', '/')}{end}").exists() for end in (".py", "/__main__.py")), module


def test_whatever_aws_alone_refuses_has_a_check_here():
    section = table.GAPS.read_text().split("## Refused by AWS, accepted by emulators")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if not REFERENCE.search(row.split(" | ")[-1])] == []


def test_aws_without_credentials_is_no_success(monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["aws"]) == 1
    assert "needs credentials" in capsys.readouterr().err
