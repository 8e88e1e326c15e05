"""How often the watch is right: false alarms, detection, and how far it carries. See `docs/monitoring.md`."""
