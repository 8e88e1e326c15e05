"""From the bytes of a shard to rows of cells, by format."""
