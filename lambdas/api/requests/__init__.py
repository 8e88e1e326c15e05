"""What comes in: API Gateway's event, the body, the shapes of its records. Verdicts on values are the contract's."""
