"""What prepare.py costs a prediction, and a cold start: python -m benchmarks.prepare

A record of ten numbers is read, and ten features are made of them by one call; beside it the same ten numbers as
features that are sent as they are. A cold start is a process of its own that imports the API's handler. All times are
those of the processor, so that other work on the machine is not counted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from andamio.contract import Contract
from andamio.contract.own_code import find_source, prepare_digest
from andamio.contract.schema import example_record
from andamio.prepare.code import load
from andamio.prepare.rows import prepared
from andamio.records.encode import encode
from andamio.records.from_json import parse_records

COLUMNS, CALLS, ROUNDS, STARTS = 10, 3000, 9, 15
LISTINGS = Path(__file__).parents[1] / "problems" / "listings"
HEAD = '[problem]\nname = "cost"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n'
SENT = "".join(f'[features.s{n}]\ntype = "number"\nmin = 0\nmax = 100\n' for n in range(COLUMNS))
DERIVED = "".join(f'[features.d{n}]\ntype = "number"\nmin = 0\nmax = 1000\nderived = true\n' for n in range(COLUMNS))
RAW = SENT.replace("features", "raw")
CODE = "def prepare(columns):\n    return {" + ", ".join(f'"d{n}": columns["s{n}"] * 2' for n in range(COLUMNS)) + "}\n"
COLD = """
import time
started = time.process_time()
import lambdas.api.handler
imported = time.process_time()
from pathlib import Path
from andamio.prepare.code import load
load(Path("problems/listings/prepare.py").read_bytes())
print(imported - started, time.process_time() - imported)
"""


def microseconds(call: Callable[[], object]) -> float:
    """The median of rounds: the time of the processor that one call takes."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time() - started) / CALLS * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print the figures."""
    record = {f"s{n}": 12.5 for n in range(COLUMNS)}
    plain = Contract.from_toml(HEAD + SENT)
    contract = Contract.from_toml(HEAD + RAW + DERIVED, prepare=prepare_digest(CODE.encode()))
    code = load(CODE.encode())
    alone = microseconds(lambda: encode(plain, parse_records(plain, [record])))
    made = microseconds(lambda: encode(contract, prepared(contract, code, parse_records(contract.sent, [record]))))
    print(f"ten numbers read and encoded            {alone:7.1f} us")
    print(f"ten numbers read, ten made and encoded  {made:7.1f} us, {made - alone:.1f} us more")
    listings = Contract.load(LISTINGS)
    source = find_source(LISTINGS)
    assert source is not None
    own = load(source)
    sent = parse_records(listings.sent, [example_record(listings.sent)])
    print(f"problems/listings, 38 features made     {microseconds(lambda: prepared(listings, own, sent)):7.1f} us")
    starts = [
        tuple(map(float, subprocess.check_output([sys.executable, "-c", COLD], text=True).split()))
        for _ in range(STARTS)
    ]
    imports, loads = (statistics.median(times) * 1e3 for times in zip(*starts, strict=True))
    print(f"import of the API                       {imports:7.1f} ms")
    print(f"and of prepare.py of problems/listings  {loads:7.1f} ms, {loads / imports:.1%} more")


if __name__ == "__main__":
    main()
