"""Registration of a run: MLflow, the model card, the sealed release and the pointer. Nothing here fits a model."""

import os

# Before anything imports onnxruntime: it would keep a device id at home, and report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
