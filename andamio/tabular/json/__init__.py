"""JSON Lines: its columns, and its rows, an object a line. No other JSON of the system is read here."""
