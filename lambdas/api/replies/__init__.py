"""What goes out: replies with the headers that all carry, problem details, the pages. Nothing here decides."""
