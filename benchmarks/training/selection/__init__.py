"""Rules that choose a trial, compared on real tables: what each would have served, on rows unseen by trials."""
