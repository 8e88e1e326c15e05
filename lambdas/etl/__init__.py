"""The ETL function: raw files to data versions, a step a call."""
