"""CSV: its dialect and header, and its rows, by pyarrow or by Python. Bodies of requests are read without pyarrow."""
