"""What a hundred million rows take and cost on AWS, out of the measured rate of one worker. Arithmetic, no measurement.

Prices are those of `benchmarks.prices`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.prices import DYNAMODB_WRITE, LAMBDA_GB_SECOND, LAMBDA_REQUEST, S3_READ, S3_WRITE, TRANSITION

MEMORY_GB = 3008 / 1024
TRANSITIONS_A_SHARD, TRANSITIONS_A_BATCH = 3, 12
"""The children of the map are standard workflows."""
S3_WRITES_A_SHARD, S3_READS_A_SHARD = 3, 8
TABLE_WRITES_A_SECOND = 40_000
"""The default limit of a table in most regions; a new table on demand begins at a tenth of it."""

START_SECONDS = 2.0
"""A cold start of the function, its release opened: paid for once a worker."""
S3_BYTES_A_SECOND = 75e6
"""What one function is taken to read or write, one stream at a time."""
ARM64_RATE = 1.0
"""How fast arm64 is taken to be beside x86-64, at the same memory."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one worker was seen to do: warm rows a second, bytes of a row that come in and go out."""

    rows_a_second: float
    bytes_in: float
    bytes_out: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a file comes to with so many workers and shards of so many bytes."""

    shard_mib: float
    shards: int
    busy: int
    shard_seconds: float
    seconds: float
    gb_seconds: float
    dollars: dict[str, float]

    @property
    def total(self) -> dict[str, float]:
        """Dollars in all, without the table, by processor."""
        rest = sum(cost for part, cost in self.dollars.items() if part not in LAMBDA_GB_SECOND)
        return {processor: self.dollars[processor] + rest for processor in LAMBDA_GB_SECOND}


def estimate(measured: Measured, rows: int, workers: int, shard_mib: float) -> Estimate:
    """How long scoring takes and what it costs; planning, survey and verifying are some calls more, left out."""
    size = rows * measured.bytes_in
    shards = math.ceil(size / (shard_mib * 2**20))
    busy = min(workers, shards)
    a_shard = rows / shards
    moved = a_shard * (measured.bytes_in + measured.bytes_out) / S3_BYTES_A_SECOND
    seconds = a_shard / measured.rows_a_second + moved
    gb_seconds = (shards * seconds + busy * START_SECONDS) * MEMORY_GB
    dollars = {processor: gb_seconds * price for processor, price in LAMBDA_GB_SECOND.items()}
    dollars["requests"] = shards * LAMBDA_REQUEST
    dollars["s3"] = shards * (S3_WRITES_A_SHARD * S3_WRITE + S3_READS_A_SHARD * S3_READ)
    dollars["transitions"] = (shards * TRANSITIONS_A_SHARD + TRANSITIONS_A_BATCH) * TRANSITION
    return Estimate(
        shard_mib, shards, busy, seconds, START_SECONDS + math.ceil(shards / busy) * seconds, gb_seconds, dollars
    )


def table_dollars(rows: int, *, indexed: bool) -> float:
    """What it costs to store the predictions of so many rows; `indexed`: they have a record id."""
    return rows * DYNAMODB_WRITE * (2 if indexed else 1)


def table_seconds(rows: int) -> float:
    """How long the table takes them at the least."""
    return rows / TABLE_WRITES_A_SECOND
