"""Constructs with the settings that all stacks share, and their cdk-nag waivers."""
