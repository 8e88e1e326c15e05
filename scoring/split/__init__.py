"""Where a file is cut into shards: between rows, found out chunk by chunk."""
