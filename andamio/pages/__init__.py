"""Pages that people read: one theme of colours and fonts, one layout, one Jinja environment. Knows no data."""
