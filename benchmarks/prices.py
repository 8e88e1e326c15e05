"""What AWS is assumed to charge, in US dollars: list prices of one region as they were known once.

Look a price up before you rely on a figure that was reckoned with it. Free tiers are left out.
"""

REGION, KNOWN = "us-east-1", "November 2026"

LAMBDA_GB_SECOND = {"x86-64": 0.0000166667, "arm64": 0.0000133334}
LAMBDA_REQUEST = 0.20 / 1e6
TRANSITION = 25 / 1e6
"""A state transition of a standard workflow."""
S3_WRITE, S3_READ = 5 / 1e6, 0.4 / 1e6
"""A request; a listing of up to a thousand keys is priced like a write."""
DYNAMODB_WRITE = 0.625 / 1e6
"""A write unit on demand: an item of up to 1 KB into the table, or into an index."""
DYNAMODB_READ = 0.125 / 1e6
"""A read unit on demand: an item of up to 4 KB, read consistently; one that is not there costs as much."""
LOGS_GB = 0.50
PUT_METRICS = 10 / 1e6
"""A call of PutMetricData."""
ALARM, METRIC, DASHBOARD, KEY = 0.10, 0.30, 3.00, 1.00
"""A month of an alarm of one metric at standard resolution, of a metric of one's own, of a dashboard, of a KMS key."""
FREE_ALARMS, FREE_METRICS, FREE_DASHBOARDS = 10, 10, 3
"""Of a whole account."""
SNAPSHOT_GB_SECOND, RESTORE_GB = 0.0000015046, 0.0001397998
"""SnapStart: a published version as long as it is there, and each start from it."""

MONTH = 30 * 86_400
"""Seconds."""
