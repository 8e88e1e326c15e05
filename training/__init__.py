"""From a data version to a candidate that the gate has decided on. Knows no Lambda and no AWS client."""

import os

# Before anything imports onnxruntime: it would keep a device id at home, and report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
