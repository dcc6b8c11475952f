"""Experiments as data: arms, runs, and what they leave behind."""
