"""CSV, JSON Lines and Parquet: what a file is, how it is written, and its rows as cells with their place in it.

ETL, batch and the API read with this package alone, so that one file has one meaning. pyarrow is imported by the
modules that need it, and by none that the API imports.
"""
