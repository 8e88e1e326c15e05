"""The function that keeps predictions: log lines of the API in, objects of the lake and items of the table out."""
