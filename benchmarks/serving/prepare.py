"""What prepare.py costs a prediction, and a cold start: python -m benchmarks.serving.prepare

A record of ten numbers is read, and ten features are made of them by one call; beside it the same ten numbers as
features that are sent as they are. A cold start is a process of its own that imports the API's handler. All times are
those of the processor, so that other work on the machine is not counted. The process then loads prepare.py, and proves
the records of a release, as the API does before it serves one: rows of the file, as requests and as its cells, with a
linear model.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from andamio.contract import Contract
from andamio.contract.own_code import find_source, prepare_digest
from andamio.contract.schema import example_record
from andamio.prepare.code import OwnCode, load
from andamio.prepare.rows import prepared
from andamio.prepare.samples import RECORDS, TextCells, as_sent
from andamio.records.cells import Cells
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.release.model import Model
from andamio.release.proof import Proof
from tests.support.releases import linear_onnx

COLUMNS, CALLS, ROUNDS, STARTS, ROWS = 10, 3000, 9, 15, 100_000
LISTINGS = Path(__file__).parents[2] / "problems" / "listings"
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
import sys
from pathlib import Path
from andamio.contract import Contract
from andamio.prepare.code import load
from andamio.release.model import Model
from andamio.release.proof import Proof, prove
contract = Contract.load(Path("problems/listings"))
model = Model(contract, Path(sys.argv[1], "model.onnx").read_bytes())
sealed = Path(sys.argv[1], "proof.json").read_bytes()
began = time.process_time()
code = load(Path("problems/listings/prepare.py").read_bytes())
loaded = time.process_time()
prove("0" * 16, contract, code, Proof.model_validate_json(sealed), model.predict)
print(imported - started, loaded - began, time.process_time() - loaded)
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


def proof_of(contract: Contract, code: OwnCode, model: Model) -> Proof:
    """The first rows of the file as a release keeps them, with the model's answers."""
    with (LISTINGS / "listings.csv").open(newline="", encoding="utf-8") as file:
        rows = list(islice(csv.DictReader(file), RECORDS))
    cells = [TextCells({name: row[name] for name in contract.sent.inputs}, ".") for row in rows]
    columns: dict[str, Cells] = {name: [each.cells[name] for each in cells] for name in contract.sent.inputs}
    sent = parse(contract.sent, columns, len(rows), text=True, decimal=".")
    answers = model.predict(encode(contract, prepared(contract, code, sent)))
    records = [as_sent(contract.sent, sent, row) for row in range(len(rows))]
    return Proof(records=records, cells=list(cells), probabilities=answers.tolist())


def cold_starts(folder: Path) -> list[float]:
    """Milliseconds of an import of the API, of loading prepare.py and of the proof in `folder`: medians of starts."""
    command = [sys.executable, "-c", COLD, str(folder)]
    starts = [
        tuple(map(float, subprocess.check_output(command, text=True, cwd=LISTINGS.parents[1]).split()))
        for _ in range(STARTS)
    ]
    return [statistics.median(times) * 1e3 for times in zip(*starts, strict=True)]


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
    many = sent.take(np.zeros(ROWS, dtype=np.int64))
    started = time.process_time()
    prepared(listings, own, many)
    print(f"the same for {ROWS:,} rows at once      {time.process_time() - started:7.1f} s")
    onnx = linear_onnx(listings)
    with TemporaryDirectory() as folder:
        proof = proof_of(listings, own, Model(listings, onnx))
        Path(folder, "model.onnx").write_bytes(onnx)
        Path(folder, "proof.json").write_text(proof.model_dump_json())
        imports, loads, proves = cold_starts(Path(folder))
    print(f"import of the API                       {imports:7.1f} ms")
    print(f"and of prepare.py of problems/listings  {loads:7.1f} ms, {loads / imports:.1%} more")
    print(f"and the proof of {len(proof.records)} of its records      {proves:7.1f} ms, {proves / imports:.1%} more")


if __name__ == "__main__":
    main()
