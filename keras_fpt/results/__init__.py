"""Many runs as one table: statistics, verdicts, baselines."""
