"""From a file of records to its predictions, shard by shard. Knows no Lambda and no AWS client."""

import os

# Before anything imports onnxruntime: it would keep a device id at home, and report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
