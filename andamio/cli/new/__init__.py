"""`andamio new`: a problem folder from a file that nobody prepared.

    source      the columns of files, as ETL's own reader has them
    column      what one column holds: counts, numbers, dates, words
    marks       what holds for all columns: texts that mean no value, the decimal mark
    roles       names that say what a column is for: identifiers, groups, times, what is known only afterwards
    identity    the columns that say which record, whose, and when
    target      what is predicted: the task and its classes
    draft       the decision on every other column, with its reason
    document    the draft as `problem.toml` and `DATA.md`
    questions   what a person says: options, and three questions on a terminal
    correct     what ETL says of the draft, and what is corrected for it
    labelled    a copy of a file without the rows that have no label
    workbook    a sheet as a CSV
    new         the command: read, decide, correct, write

Nothing here reads a cell in a way of its own: what was written is read back by the contract and by ETL.
"""
