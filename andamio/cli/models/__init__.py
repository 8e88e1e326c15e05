"""The commands on data and models: demo, ingest, train, predict, explain, models, card, promote, report."""
