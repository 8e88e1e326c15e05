"""Batches: upload of a file, progress, download of the result."""
