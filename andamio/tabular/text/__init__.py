"""Texts, CSV or JSON Lines: encoding, blocks of whole rows, and where rows begin. No cell of a row is read here."""
