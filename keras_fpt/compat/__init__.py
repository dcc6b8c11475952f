"""Workarounds for faults of other packages, and their private names."""
