"""Storage: ports, keys and documents. It has no AWS client: see `andamio.adapters`."""
