"""Parquet, read by ranges. What each type of column means is in `andamio.tabular.arrow`."""
