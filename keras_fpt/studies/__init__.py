"""Many runs with a purpose: sweeps, comparisons, the paper's questions."""
