"""A former module: importing it raises an error that names the new ones."""

raise ImportError(
    "keras_fpt.experiments has become keras_fpt.runs (RunConfig, train, "
    "evaluate, predict, arms), keras_fpt.results (load_runs, summarize), "
    "keras_fpt.reports (write_report, attention_map) and keras_fpt.studies "
    "(run_sweep, run_comparison, run_question)."
)
