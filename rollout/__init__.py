"""How a model comes into service by hand and out of it again: promotion, rollback."""
