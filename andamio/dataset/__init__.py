"""A data version as a folder of typed columns: written by ETL, read by training. Nothing here trains."""
