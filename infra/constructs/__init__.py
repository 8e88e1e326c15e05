"""The pieces that stacks are made of: each the way we want it everywhere, its waivers beside it."""
