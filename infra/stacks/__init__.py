"""What is deployed: one stack a problem."""
