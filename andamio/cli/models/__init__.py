"""Data in, a model out: ingest, train, predict, and what is shown of it."""
