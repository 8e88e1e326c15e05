"""Whatever the OpenAPI document allows is answered as it says, and what it forbids is refused: through the gateway.

`make fuzz CASES=10000` sends more, and others each time.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from andamio.contract import Contract
from lambdas.api import log
from tests.support.api import Api
from tests.support.fuzz import fuzz
from tests.support.gateway import KEY, gateway
from tests.support.releases import heart, serve
from tests.unit.api.conftest import loans

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("ANDAMIO_FUZZ", "0"))
"""About how many requests to send to each API; without it as many as a build has time for, always the same."""
CASES_OF_AN_EXAMPLE = 60
EXAMPLES = 10


@pytest.mark.parametrize("contract", [heart(), loans()], ids=["heart", "loans"])
def test_every_answer_is_what_the_document_says(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "write", lambda lines: None)
    api = Api(problem=contract.problem.name)
    serve(api.objects, contract)
    with gateway(lambda event: api.gateway(event, SimpleNamespace(aws_request_id=""))) as address:
        fuzz(address, KEY, examples=max(EXAMPLES, CASES // CASES_OF_AN_EXAMPLE), random=CASES > 0)
