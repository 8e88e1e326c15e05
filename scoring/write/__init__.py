"""From predictions to files: scored rows, rejected rows, items of the table."""
