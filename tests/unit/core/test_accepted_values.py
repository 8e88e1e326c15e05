"""The page of accepted values is made from the code that reads: no word is left out, and each is what it says."""

from __future__ import annotations

import json

from andamio.records.cells import FALSE_WORDS, TRUE_WORDS
from scripts.accepted_values import SPELLINGS, page


def test_the_page_has_every_word_for_true_and_false_and_what_it_means() -> None:
    rows = page().split("## Boolean")[1].split("## ")[0]
    for words, meaning in ((TRUE_WORDS, "true"), (FALSE_WORDS, "false")):
        for word in words:
            assert f"| `{json.dumps(word)}` | {meaning} | {meaning} |" in rows


def test_every_spelling_has_a_row() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(map(len, SPELLINGS.values()))
    assert '| `"2026-02-30"` | refused: expected a date such as 2026-03-31' in page()
