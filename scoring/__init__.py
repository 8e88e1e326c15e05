"""Batch scoring: from a file of records to its predictions, shard by shard. Knows no Lambda and no AWS client.

Steps in the order of `stepfunctions/batch.asl.json`: `plan`, `read.unpack`, `split.survey`, `split.cut`, `worker` (one
shard), `verify`, `publish`. `steps` is their table; `batch`, `state` and `documents` hold what they write.
"""

import os

# Set before onnxruntime is imported: it would write a device id into the home folder and send usage statistics.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
