"""The families of models: pipelines, search spaces, sizes."""
