"""CSV, JSON Lines and Parquet: format and dialect of a file, and its rows as cells with their line numbers.

ETL, batch and the API read with this package alone, so that one file has one meaning. pyarrow is imported by the
modules that need it, and by none that the API imports.

    text/       encoding, head (what decides how a text is read), blocks, row_bounds, row_texts
    csv/        head (detects all of it), dialect, quotes, number_marks, row, python_reader (the reference),
                reader (blocks, pyarrow), request_body
    json/       head, record (a line), reader
    parquet/    reader
    file        a whole file of any format
    here        for every format: signature, gzip_file, refused, limits; columns, rows, broken, arrow; read_as (how a
                file was read, for reports)

`text` imports no room of a format, and the rooms of the formats do not import each other.
"""
