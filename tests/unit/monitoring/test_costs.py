"""What docs/deploy.md says that the watch costs follows from counts and prices, and the counts from a run."""

from __future__ import annotations

import re

from benchmarks import costs, prices

PAGE = costs.PAGE.read_text(encoding="utf-8")
TABLE = re.search(r"<!-- watch -->\n(.*?)\n<!-- /watch -->", PAGE, re.DOTALL)


def counted() -> dict[str, costs.Asked]:
    """The counts that the page's table says."""
    assert TABLE
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE[1].splitlines()]
    counts = {row[0]: [int(cell.partition(":")[0].replace(",", "")) for cell in row[2:]] for row in rows[:-1]}
    return {case: costs.Asked(*(counts[part][place] for part in costs.COUNTED)) for place, case in enumerate(head[2:])}


def test_each_sum_of_the_table_follows_from_its_counts_and_the_prices() -> None:
    assert TABLE
    assert costs.watch(counted()) == TABLE[1]


def test_a_run_without_traffic_asks_of_s3_what_the_table_says() -> None:
    assert costs.asked() == counted()["no traffic"]


def test_a_listing_of_many_keys_is_several_requests() -> None:
    bucket = costs.Counted("lake")
    for number in range(2001):
        bucket.put(f"a/{number:04d}", b"")
    assert len([*bucket.list("a/")]) == 2001
    assert bucket.listings == 3
    assert [*bucket.list("b/")] == []
    assert bucket.listings == 4
    assert len([*bucket.list("a/", after="a/1000")]) == 1000
    assert bucket.listings == 5, "the page begins after the key"
    assert [info.key for info in bucket.list("a/", after="A")][:1] == ["a/0000"]


def test_a_table_counts_an_entry_in_its_index_and_lookups_that_find_nothing() -> None:
    table = costs.CountedTable()
    created = "2026-11-27T18:00:00Z"
    table.put_all(
        [{"prediction_id": "a", "created": created}, {"prediction_id": "b", "record_id": "7", "created": created}]
    )
    assert (table.find("c"), len(table.of_record("7", limit=1))) == (None, 1)
    assert (table.kept, table.lookups) == (3, 2)


def test_the_page_says_what_snapstart_costs_and_by_which_prices() -> None:
    section = " ".join(PAGE.partition("## What SnapStart costs")[2].partition("\n## ")[0].split())
    assert costs.snapstart(1769) in section
    for price in (f"{prices.SNAPSHOT_GB_SECOND:.10f}", f"{prices.RESTORE_GB:.10f}", prices.REGION, prices.KNOWN):
        assert price in section


def test_the_page_says_what_its_alarms_cost_and_by_which_prices() -> None:
    """How many there are, tests/infra/test_alarms.py counts in the template."""
    section = PAGE.partition("## What alarms and the dashboard cost")[2].partition("\n## ")[0]
    count = re.search(r"^\| alarms, [^|]+\| (\d+) ", section, re.MULTILINE)
    assert count
    assert costs.alarms(int(count[1])) in section
    for price in (prices.ALARM, prices.METRIC, prices.DASHBOARD, prices.KEY):
        assert f"${price:.2f}" in section.partition("| what |")[0]
    assert f"list prices in `{prices.REGION}` as they were known in {prices.KNOWN}" in section
