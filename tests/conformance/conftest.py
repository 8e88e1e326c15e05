"""The targets that a run is for, and the verdict of each behaviour held against the one that is known."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.conformance import table, verdicts
from tests.conformance.account import Account
from tests.conformance.targets import NAMES, NoCredentials, Target, running
from tests.conformance.verdicts import Missing, Verdict

FOUND = pytest.StashKey[dict[tuple[str, str], tuple[Verdict, float]]]()
TEST_SECONDS, AWS_TEST_SECONDS = 400, 1500
"""How long one behaviour may take; on AWS a notification of a new bucket alone may take 900 s to come into force."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", action="append", choices=NAMES, help="where to run; default: moto")
    parser.addoption("--renew", action="store_true", help="write what came into expected.json and localstack/gaps.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FOUND] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        asked = metafunc.config.getoption("target") or ["moto"]
        metafunc.parametrize("target", list(dict.fromkeys(asked)), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "account" in getattr(item, "fixturenames", ()):
            on_aws = item.callspec.params["target"] == "aws"
            item.add_marker(pytest.mark.timeout(AWS_TEST_SECONDS if on_aws else TEST_SECONDS))


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    try:
        with running(request.param) as found:
            yield found
    except NoCredentials as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def session_account(target: Target) -> Iterator[Account]:
    account = Account(target)
    with account.cleanup:
        yield account


@pytest.fixture
def account(target: Target, session_account: Account) -> Iterator[Account]:
    """What one test makes; deleted when it ends."""
    account = Account(target, prefix=session_account.prefix, session=session_account)
    with account.cleanup:
        yield account


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a behaviour, and fail where its verdict is another one than is known."""
    account = pyfuncitem.funcargs.get("account")
    if not isinstance(account, Account):
        return None
    target, behaviour = account.target, table.behaviour_of(pyfuncitem.function)

    def run() -> None:
        for part in (part for mark in pyfuncitem.iter_markers("needs") for part in mark.args):
            if part in target.lacks:
                raise Missing(target.lacks[part])
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})

    began = time.monotonic()
    verdict = verdicts.judge(run)
    pyfuncitem.config.stash[FOUND][behaviour.id, target.name] = verdict, time.monotonic() - began
    known = Verdict("works") if target.is_aws else verdicts.read().get(behaviour.id, {}).get(target.name)
    if not pyfuncitem.config.getoption("renew") and (known is None or known.kind != verdict.kind):
        pytest.fail(table.changed(behaviour, target.name, known, verdict), pytrace=False)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("renew"):
        table.renew(session.config.stash[FOUND])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash[FOUND]
    if found:
        terminalreporter.section("behaviours")
        for line in table.lines(found):
            terminalreporter.write_line(line)
