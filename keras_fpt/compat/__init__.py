"""Workarounds for faults of other packages, one file each."""
