"""CSV: its dialect and header, and its rows, by pyarrow or by Python. Bodies of requests are read without pyarrow."""

import csv

from andamio.tabular.limits import LONGEST_ROW

csv.field_size_limit(LONGEST_ROW)  # of this process, which has one; 128 KiB by default
