"""Strings in tables, and the sequences of FASTA files."""
