"""From a raw file to a served prediction, with no edit by hand: the handlers of the functions, in one process."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from andamio.cli.models.sample import first_record
from andamio.cli.new.new import new
from andamio.cli.new.questions import Options
from andamio.contract import Contract
from andamio.testing import local_aws

ROWS = 240
RUN = {
    "churned": {"families": ["logistic_regression"], "trials": 1},
    "spent": {"families": ["ridge"], "trials": 1},
}


def export(file: Path) -> None:
    """What a spreadsheet of another country writes: semicolons, decimal commas, cp1252, gaps in three spellings."""
    rng = random.Random(11)
    lines = ["Nr.;Kunde_ID;seit;Größe;Land;Umsatz;churned;Kündigungsgrund;spent"]
    for row in range(ROWS):
        size = round(rng.uniform(1, 9), 2)
        leaves = size + rng.gauss(0, 2) > 5.5
        cells = [
            row + 1,
            f"K{row // 2:05}",
            (date(2023, 1, 1) + timedelta(days=row)).strftime("%d.%m.%Y"),
            "?" if row % 29 == 0 else str(size).replace(".", ","),
            rng.choice(["Österreich", "España", "Perú"]),
            "-" if row % 31 == 0 else f"{1000 + 900 * size:.2f}".replace(".", ","),
            "ja" if leaves else "nein",
            rng.choice(["Preis", "Umzug"]) if leaves else "",
            f"{30 * size + rng.gauss(0, 9) + 40:.2f}".replace(".", ","),
        ]
        lines.append(";".join(map(str, cells)))
    file.write_bytes(("\r\n".join(lines) + "\r\n").encode("cp1252"))


@pytest.mark.slow
@pytest.mark.parametrize("target", list(RUN))
def test_a_raw_export_becomes_a_served_prediction(tmp_path: Path, target: str) -> None:
    export(tmp_path / "export.csv")
    folder = new("drafted", [tmp_path / "export.csv"], Options(target=target, folder=tmp_path / "drafted"))
    contract = Contract.load(folder)
    assert contract.problem.group == "Kunde_ID"
    assert "Nr." not in contract.features
    if target == "churned":
        assert not contract.features["Kündigungsgrund"].available_at_prediction  # only those who left have a reason
    with local_aws(folder) as aws:
        aws.put("raw/export.csv", (folder / "export.csv").read_bytes())
        assert aws.run("etl").output["rows"]["rejected"] == 0
        assert aws.run("train", RUN[target]).output["status"] in ("promoted", "tied")
        reply = aws.request("POST", "/predict", {"features": first_record(folder / "export.csv", contract)})
        assert reply.status == 200, reply.text
        assert reply.json["label"] in contract.classes if target == "churned" else reply.json["value"] > 0
