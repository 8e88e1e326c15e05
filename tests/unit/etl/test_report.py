"""What a person sees of a data version: one page, with no network and no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest

from andamio.contract import Contract
from andamio.pages.text import number, percent
from andamio.pages.view import Figure, Table
from andamio.storage import layout
from etl.report import charts
from etl.report.figures import FeatureSummary, _chi_square, _cramer, _information, _ratio, _spearman, moved
from etl.report.page import templates
from tests.support.datasets import HEART_FOLDER
from tests.support.etl import Lake

ATTACK = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'
HOSTILE = Contract.from_toml("""
[problem]
name = "hostile"
title = "A <b>title</b>"
target = "kind"
labels = { a = "A & <i>b</i>", b = "B" }
[features.size]
type = "number"
required = false
[features.note]
type = "category"
[features.seen]
type = "date"
required = false
[features.old]
type = "boolean"
[features.nurse]
type = "category"
private = true
[features.salary]
type = "number"
private = true
required = false
""")

LEAKING = """
[problem]
name = "leaking"
target = "kind"
labels = { a = "A", b = "B" }
[features.size]
type = "number"
[features.leak]
type = "category"
"""


def hostile_lines(rows: int = 200) -> list[str]:
    rng = np.random.default_rng(0)
    quoted = '"' + ATTACK.replace('"', '""') + '"'
    lines = ["size,note,seen,old,nurse,salary,kind"]
    for row in range(rows):
        note = quoted if row % 3 else "plain"
        seen = "" if row % 7 == 0 else str(np.datetime64("2026-01-01") + np.timedelta64(int(rng.integers(90)), "D"))
        salary = "" if row % 5 == 0 else "424242.5"
        lines.append(f"{rng.normal():.4f},{note},{seen},{row % 2},Nightingale,{salary},{'ab'[int(rng.random() < 0.4)]}")
    return lines


def drawn(lake: Lake, version: str) -> str:
    assert lake.step("report", version=version)["status"] == "drawn"
    return lake.get(layout.dataset(version, "report.html")).body.decode()


@pytest.fixture(scope="module")
def heart() -> tuple[Lake, list[str]]:
    """A lake with two data versions of heart, the second made of more rows than the first; and both pages."""
    lake = Lake(Contract.load(HEART_FOLDER))
    header, *rows = (HEART_FOLDER / "heart.csv").read_text().splitlines()
    pages = []
    for name, part in (("a.csv", rows[:200]), ("b.csv", rows[200:])):
        lake.drop(name, header, *part)
        said = lake.step("collect", event={})
        said = lake.step("validate", input=said["input"])
        said = lake.step("publish", input=said["input"])
        pages.append(drawn(lake, said["version"]))
        said = lake.step("commit", input=said["input"], version=said["version"])
        assert said["report"] == layout.dataset(said["version"], "report.html")
    return lake, pages


@pytest.fixture(scope="module")
def hostile() -> str:
    lake = Lake(HOSTILE)
    lake.drop("rows.csv", *hostile_lines())
    return drawn(lake, lake.run()["version"])


class Page(HTMLParser):
    """The elements of a page with their attributes, the text of scripts, and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.headings: list[tuple[str, str]] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {key: value or "" for key, value in attrs}
        self.elements.append((tag, said))
        self._in.append(tag)
        if tag == "script":
            self.scripts.append((said.get("type", ""), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._in and self._in[-1] == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = kind, text + data
        if self._in and self._in[-1] in ("h1", "h2", "h3", "title"):
            self.headings.append((self._in[-1], data))

    @property
    def specifications(self) -> list[dict[str, Any]]:
        return [json.loads(text) for kind, text in self.scripts if kind == "application/json"]


def without_scripts(text: str) -> str:
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


# Safety


def test_no_text_of_the_data_becomes_markup_or_script(hostile: str) -> None:
    page = Page(hostile)
    assert sum(kind == "" for kind, _ in page.scripts) == 4, "Vega, Vega-Lite, its interpreter, and what draws"
    assert not [tag for tag, _ in page.elements if tag in ("img", "iframe", "object", "b", "i")]
    assert not [key for _, said in page.elements for key in said if key.startswith("on")]
    assert ATTACK not in hostile
    assert any(ATTACK[:20] in json.dumps(spec) for spec in page.specifications), "it is shown, as text"
    assert "&lt;img src=x" in hostile
    assert ("h1", "A <b>title</b>") in page.headings


def test_a_script_that_came_in_all_the_same_would_not_run(hostile: str) -> None:
    (policy,) = [said["content"] for tag, said in Page(hostile).elements if tag == "meta" and "http-equiv" in said]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    found = re.findall(r"<script>(.*?)</script>", hostile, flags=re.DOTALL)
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found} == allowed
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_the_page_reaches_no_network(heart: Any, hostile: str) -> None:
    for text in (*heart[1], hostile):
        links = [said[key] for _, said in Page(text).elements for key in ("src", "href", "action") if key in said]
        assert all(link.startswith("#") or link == "data:," for link in links)
        assert "http" not in without_scripts(text).replace("http-equiv", "")
        assert '"url"' not in json.dumps(Page(text).specifications)


def test_nothing_of_a_private_feature_is_shown_but_counts(hostile: str) -> None:
    for secret in ("Nightingale", "424242", "424,242", "4.242"):
        assert secret not in without_scripts(hostile)
    assert "nurse" in hostile
    assert re.search(r"Private: \d+ values, \d+ missing", hostile)


# What it says


def test_it_is_one_page_of_moderate_size_with_the_same_bytes_each_time(heart: Any) -> None:
    lake, pages = heart
    assert all(len(text.encode()) < 3 * 2**20 for text in pages)
    again = Lake(lake.contract)
    header, *rows = (HEART_FOLDER / "heart.csv").read_text().splitlines()
    again.drop("a.csv", header, *rows[:200])
    said = again.step("validate", input=again.step("collect", event={})["input"])
    assert drawn(again, again.step("publish", input=said["input"])["version"]) == pages[0]


def test_headings_lead_through_it_and_every_chart_has_words(heart: Any) -> None:
    page = Page(heart[1][1])
    assert [text for level, text in page.headings if level == "h1"] == ["Heart disease"]
    assert ("title", "Heart disease: data version") in [(level, text[:27]) for level, text in page.headings]
    assert [text for level, text in page.headings if level == "h2"] == [
        "Leakage audit",
        "Label",
        "What tells the label",
        "Features",
        "Missing values",
        "Relations between features",
        "Outliers",
        "Duplicates and conflicts",
        "Change since the last version",
        "Where the rows came from",
    ]
    assert {text for level, text in page.headings if level == "h3"} == set(heart[0].contract.features)
    charts = [said for _, said in page.elements if said.get("class") == "chart"]
    assert len(charts) == len(page.specifications) > 15
    assert all(said["role"] == "img" and said["aria-label"] for said in charts)


def test_a_number_is_in_a_table_too(heart: Any) -> None:
    text = without_scripts(heart[1][1])
    lake, _ = heart
    version = lake.read(layout.CURRENT_DATASET)["version"]
    ages = lake.side(version, "train")["age"]
    assert f'<td class="number">{number(float(ages.mean()))}</td>' in text
    assert "Nothing looks like a leak." in text
    assert "Spearman" in text


def test_the_first_version_has_nothing_to_compare_with_and_the_second_has_the_first(heart: Any) -> None:
    first, second = heart[1]
    assert "This is the first data version" in first
    assert "Population stability index" in second
    assert "This is the first data version" not in second


def test_suspects_stand_on_top() -> None:
    contract = Contract.from_toml(LEAKING)
    lake = Lake(contract)
    lines = [
        "size,leak,kind",
        *(f"{n % 17},{'<u>yes</u>' if n % 3 else 'no'},{'b' if n % 3 else 'a'}" for n in range(120)),
    ]
    lake.drop("rows.csv", *lines)
    text = without_scripts(drawn(lake, lake.run()["version"]))
    assert text.index("copies of the label") < text.index('id="label"')
    assert "&#39;leak&#39; copies the label" in text
    assert '<span class="chip bad">suspect</span>' in text


@pytest.mark.parametrize(
    "lines",
    [
        ["size,leak,kind", *(f"{n // 30},x,{'ab'[n % 2]}" for n in range(60))],  # hardly anything varies
        ["size,leak,kind", *(f"{n},v{n},{'ab'[n % 2]}" for n in range(60))],  # everything does
        [
            "size,leak,kind",
            *(f"{10.0 ** (n % 30)},v{n % 2},{'ab'[n % 2]}" for n in range(60)),
        ],  # by orders of magnitude
    ],
)
def test_odd_columns_are_drawn_too(lines: list[str]) -> None:
    lake = Lake(Contract.from_toml(LEAKING))
    lake.drop("rows.csv", *lines)
    assert Page(drawn(lake, lake.run()["version"])).specifications


def test_many_features_make_no_page_that_cannot_be_opened() -> None:
    features = "".join(f'[features.x{n}]\ntype = "number"\n' for n in range(80))
    lake = Lake(
        Contract.from_toml(f'[problem]\nname = "wide"\ntarget = "kind"\nlabels = {{ a = "A", b = "B" }}\n{features}')
    )
    rng = np.random.default_rng(0)
    rows = [",".join([*(f"{value:.3f}" for value in rng.normal(size=80)), "ab"[n % 2]]) for n in range(60)]
    lake.drop("rows.csv", ",".join([*(f"x{n}" for n in range(80)), "kind"]), *rows)
    assert len(drawn(lake, lake.run()["version"]).encode()) < 3 * 2**20


# Its charts


def test_every_chart_keeps_to_the_schema_of_vega_lite(heart: Any, hostile: str) -> None:
    for specification in [*Page(heart[1][1]).specifications, *Page(hostile).specifications]:
        kind = alt.LayerChart if "layer" in specification else alt.Chart
        assert kind.from_dict(specification)  # which validates


def test_every_chart_is_drawn_by_the_pages_own_scripts(heart: Any, hostile: str, tmp_path: Path) -> None:
    """In Node: the page's own Vega, without eval, turns each specification into a picture with marks in it."""
    node = Path(sys.executable).parent / "node"
    for text in (heart[1][1], hostile):
        page = Page(text)
        libraries = [script for kind, script in page.scripts if kind == ""][:3]
        (tmp_path / "page.json").write_text(json.dumps({"libraries": libraries, "charts": page.specifications}))
        (tmp_path / "draw.js").write_text(DRAW)
        done = subprocess.run(
            [node, "--disallow-code-generation-from-strings", "draw.js"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        pictures = json.loads(done.stdout)
        assert len(pictures) == len(page.specifications)
        assert all(count > 3 for count in pictures)


DRAW = """
const fs = require("fs"), vm = require("vm");
const page = JSON.parse(fs.readFileSync("page.json"));
delete globalThis.module;
for (const library of page.libraries) vm.runInThisContext(library);
Promise.all(page.charts.map(async (chart) => {
  const logger = {...vega.logger(vega.Warn), warn: (text) => { throw Error(text); }};
  const compiled = vegaLite.compile(chart, {logger});
  const runtime = vega.parse(compiled.spec, null, {ast: true});
  const svg = await new vega.View(runtime, {expr: vegaInterpreter, renderer: "none", logLevel: vega.Error}).toSVG();
  if (/<script|onerror=alert\\(1\\)>/.test(svg)) throw Error("markup came through");
  return (svg.match(/<path|<rect|<text/g) || []).length;
})).then((counts) => console.log(JSON.stringify(counts)), (error) => { console.error(error); process.exit(1); });
"""


# Its figures


def test_measures_of_relation_are_what_they_should_be() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=4000)
    assert _spearman(first, np.exp(first)) == pytest.approx(1)
    assert _spearman(first, -first) == pytest.approx(-1)
    assert abs(_spearman(first, rng.normal(size=4000))) < 0.06
    codes = rng.integers(4, size=4000)
    assert _cramer(codes, (codes + 1) % 4) == pytest.approx(1, abs=1e-3)
    assert _cramer(codes, rng.integers(3, size=4000)) < 0.06
    assert _ratio(codes.astype(float), codes) == pytest.approx(1)
    assert _ratio(first, codes) < 0.06


def test_information_of_a_copy_is_the_entropy_and_of_the_unrelated_nothing() -> None:
    assert _information(np.array([[30.0, 0], [0, 30]])) == (pytest.approx(1), 1)
    assert _information(np.array([[15.0, 15], [15, 15], [0, 0]])) == (pytest.approx(0), 1)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 3.841), (5, 11.070), (9, 16.919), (30, 43.773)])
def test_the_approximated_chi_square_is_close(freedom: int, quantile: float) -> None:
    assert _chi_square(freedom, 1.6449) == pytest.approx(quantile, rel=0.03)


def test_what_did_not_move_is_called_drifted_hardly_ever_and_what_moved_is() -> None:
    contract = Contract.from_toml(LEAKING)
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sides = [
            {"size": rng.normal(size=n), "leak": rng.choice(["a", "b", "c"], n).astype(object)} for n in (240, 200)
        ]
        alarms += sum(one.drifted for one in moved(contract, *sides))
    assert alarms <= 0.05 * 120
    before = {"size": rng.normal(size=240), "leak": rng.choice(["a", "b"], 240).astype(object)}
    after = {"size": before["size"] + 1, "leak": np.full(240, "new", dtype=object)}
    assert [one.drifted for one in moved(contract, after, before)] == [True, True]


def test_texts_are_escaped_and_numbers_are_readable() -> None:
    macros = templates().get_template("macros.html").module
    drawn = str(macros.figure(Figure('"<c>', {"x": "</script>"})))
    assert 'aria-label="&#34;&lt;c&gt;"' in drawn
    assert "<" not in drawn.split('json">')[1].split("</script>")[0]
    listed = str(macros.table(Table("<c>", ["<h>"], [["<v>", "<w>", None, 1234, "1.5"]])))
    assert not re.search("<[chvw]>", listed)
    assert '<td class="text">&lt;w&gt;</td><td class="number">\u2013</td><td class="number">1,234</td>' in listed
    assert [number(value) for value in (1234567, 0.5, 1234.5, 0.00001, float("nan"))] == [
        "1,234,567", "0.5", "1,234", "1e-05", "\u2013",
    ]  # fmt: skip
    assert [percent(share) for share in (0, 0.0004, 0.5)] == ["0.0%", "< 0.1%", "50.0%"]


def test_an_axis_is_named_by_what_is_counted_on_it() -> None:
    feature = HOSTILE.features["note"]
    for counts, classes, name in (([3, 5], ["A", "B"], "share of class"), ([8], ["all rows"], "share of rows")):
        summary = FeatureSummary("note", feature, 8, 0, [0] * len(counts), {}, [("x", counts)], [])
        text = json.dumps(charts.distribution(summary, classes), default=str)
        assert name in text
        assert text.count("share of ") == text.count(name)
