"""CSV, JSON Lines and Parquet: format and dialect of a file, and its rows as cells with their line numbers.

ETL, batch and the API read with this package alone, so that one file has one meaning. pyarrow is imported by the
modules that need it, and by none that the API imports.

    what a file is        signature, gzip_file, refused, limits
    how text is written   head (decides all of it), encoding, dialect, number_marks, quotes, read_as (reports it)
    CSV                   csv_reader (blocks, pyarrow), csv_python (the reference), csv_row, csv_text (request bodies)
    JSON Lines            json_reader, json_record
    Parquet               parquet_reader, arrow
    rows for callers      file (a whole file), rows, columns, broken, row_texts, row_bounds, text_blocks
"""
