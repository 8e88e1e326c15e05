"""`andamio new`: a problem folder from a file that nobody prepared.

    source      the columns of files, as ETL's own reader has them
    column      what one column holds: counts, numbers, dates, words
    marks       what holds for all columns: texts that mean no value, the decimal mark
    roles       names that say what a column is for: identifiers, groups, times, what is known only afterwards
    draft       the decision on each column, with its reason
    document    the draft as `problem.toml` and `DATA.md`
    new         the command: read, decide, rehearse ETL, correct, write

Nothing here reads a cell in a way of its own: what was written is read back by the contract and by ETL.
"""
