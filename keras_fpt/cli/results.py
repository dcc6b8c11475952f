"""`keras-fpt evaluate`, `predict`, `report` and `attention`."""

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_fpt import logs
from keras_fpt.cli import early
from keras_fpt.cli.arms_table import print_arms
from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.class_table import print_tables
from keras_fpt.cli.console import console, print_plain
from keras_fpt.cli.forecast_table import print_forecasts
from keras_fpt.cli.overwrite import Overwrite
from keras_fpt.cli.task_options import DataDir

FinishedRun = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
MovedPreset = Annotated[
    str | None,
    typer.Option(
        help="The run's preset, if it has moved.",
        show_default="the path in the run's configuration",
    ),
]


def evaluate(
    run_dir: FinishedRun,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="New data of the same kind, with labels, for runs on your "
            "own data.",
            show_default="a split of the run's data",
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Split to evaluate: validation, test, or another "
            "split of the task."
        ),
    ] = "test",
    data_dir: DataDir = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="File with the labels of the new data, if they are "
            "in another file."
        ),
    ] = None,
    label_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of the new data that contains the labels; several, "
            "if the run has several.",
            show_default="the training data's",
        ),
    ] = None,
    mistakes: Annotated[
        Path | None,
        typer.Option(
            help="A .png file to write, with the misclassified examples of the "
            "split, the most confident first.",
            show_default="none",
        ),
    ] = None,
    preset: MovedPreset = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a finished run again, or on new data with labels."""
    early.require_run(run_dir)
    for path in (data, data_dir, labels):
        early.require_path(path)
    early.require_preset(preset)
    load_backend()
    from keras_fpt import runs

    if data is not None and mistakes is not None:
        raise ValueError("--mistakes draws a split: leave out the new data.")
    if data is not None:
        _print_scores(
            data,
            runs.evaluate_file(run_dir, data, labels, label_column, preset),
        )
        return
    if labels is not None or label_column:
        raise ValueError(
            "--labels and --label-column are for new data: give its path after "
            "the run's folder."
        )
    if mistakes is not None:
        count = runs.draw_mistakes(
            run_dir, mistakes, split, data_dir, preset, overwrite
        )
        print_plain(
            f"{count} mistakes drawn to {mistakes}."
            if count
            else f"Nothing was drawn: every prediction on {split} is correct."
        )
    result = runs.evaluate(run_dir, split, data_dir, preset)
    if "forecasts" in result:
        words = runs.forecast_results.words(result)
        print_plain(f"{split} {words}, loss {result['loss']:.4f}")
        print_forecasts(result["forecasts"])
        return
    if "rmse" in result:
        print_plain(
            f"{split} {runs.target_results.words(result)}, loss "
            f"{result['loss']:.4f}"
        )
        return
    if "exact_match" in result:
        print_plain(
            f"{split} accuracy {result['accuracy']:.2%} of labels, "
            f"{runs.label_results.words(result)}, loss {result['loss']:.4f}"
        )
        print_tables(result["classes"], "label")
        return
    accuracies = ", ".join(
        f"{name.replace('_', ' ')} {value:.2%}"
        for name, value in result.items()
        if name.endswith("accuracy")
    )
    print_plain(f"{split} {accuracies}, loss {result['loss']:.4f}")
    if "classes" in result:
        print_tables(result["classes"], "class")


def _print_scores(data: Path, scores: dict[str, Any]) -> None:
    if "forecasts" in scores:
        from keras_fpt.runs import forecast_results

        print_plain(
            f"{data}: {forecast_results.words(scores)}, of forecasts from "
            f"{scores['examples']:,} rows."
        )
        print_forecasts(scores["forecasts"])
        return
    if "rmse" in scores:
        from keras_fpt.runs import target_results

        print_plain(
            f"{data}: {target_results.words(scores)} on "
            f"{scores['examples']:,} examples."
        )
        return
    if "exact_match" in scores:
        from keras_fpt.runs import label_results

        print_plain(
            f"{data}: accuracy {scores['accuracy']:.2%} of the labels of "
            f"{scores['examples']:,} examples, {label_results.words(scores)}, "
            f"loss {scores['loss']:.4f}; the more common answer to each label "
            f"there scores {scores['majority_accuracy']:.2%}."
        )
        print_tables(scores["classes"], "label")
        return
    print_plain(
        f"{data}: accuracy {scores['accuracy']:.2%} on {scores['examples']:,} "
        f"examples, loss {scores['loss']:.4f}; the most common class there, "
        f"{scores['majority']}, scores {scores['majority_accuracy']:.2%}."
    )
    if "classes" in scores:
        print_tables(scores["classes"], "class")


def predict(
    run_dir: FinishedRun,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="New data of the same kind, for runs on your own data; "
            "labels are not needed.",
            show_default="a split of the run's data",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The .csv file to write, or - for standard output.",
        ),
    ] = Path("predictions.csv"),
    split: Annotated[
        str,
        typer.Option(
            help="Without new data, the split to predict: validation, test, or "
            "another split of the task."
        ),
    ] = "test",
    data_dir: DataDir = None,
    overwrite: Overwrite = False,
    preset: MovedPreset = None,
) -> None:
    """Predict the labels of new data, or of a split, with a finished run."""
    early.require_run(run_dir)
    for path in (data, data_dir):
        early.require_path(path)
    early.require_preset(preset)
    load_backend()
    from keras_fpt import runs

    is_stream = output == Path("-")
    file = None if is_stream else output
    existed = output.exists()
    # Only the table goes to the output.
    with logs.only_warnings() if is_stream else contextlib.nullcontext():
        frames = (
            [
                runs.predict_split(
                    run_dir, split, file, overwrite, data_dir, preset
                )
            ]
            if data is None
            else runs.predict_in_blocks(
                run_dir, data, file, overwrite, preset=preset
            )
        )
        parts: list[Any] = []
        for frame in frames:
            if is_stream:
                console.file.write(runs.to_csv(frame, header=not parts))
            parts.append(_summarized(frame))
    if not is_stream:
        _print_predictions(runs, parts, output, existed)


def _summarized(frame: Any) -> Any:
    """The columns that are summed up on the terminal, in little memory."""
    kept = [
        name
        for name in frame
        if name in ("step", "label") or name.startswith("prediction")
    ]
    frame = frame[kept]
    texts = [name for name in kept if frame[name].dtype.kind not in "fiu"]
    return frame.astype(dict.fromkeys(texts, "category"))


def _print_predictions(
    runs: Any, parts: list[Any], output: Path, existed: bool
) -> None:
    """Sums up predictions that were written to a file."""
    import numpy as np
    import pandas as pd

    frame = parts[0]
    if len(parts) > 1:
        columns = {
            name: pd.api.types.union_categoricals([p[name] for p in parts])
            if frame[name].dtype == "category"
            else np.concatenate([p[name] for p in parts])
            for name in frame
        }
        frame = pd.DataFrame(columns)
    if "step" in frame:
        steps = frame["step"].max()
        count = len(frame) // steps
        what = f"{count:,} forecast" + "s" * int(count != 1)
        print_plain(f"{what} of {steps:,} rows written to {output}.")
        return
    if "prediction" not in frame or frame["prediction"].dtype.kind == "f":
        _print_numbers(runs, frame, output)
        return
    counts = frame["prediction"].value_counts()
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    print_plain(f"{len(frame):,} predictions written to {output}: {shown}.")
    if existed:
        print_plain(f"The previous contents of {output} were replaced.")
    if "label" in frame:
        is_labeled = frame["label"] != ""
        known = frame["prediction"].cat
        same = frame["label"].cat.set_categories(known.categories)
        right = (known.codes == same.cat.codes)[is_labeled]
        print_plain(
            f"The data has labels: {right.mean():.2%} of {len(right):,} "
            "predictions are correct."
        )


def _print_numbers(runs: Any, frame: Any, output: Path) -> None:
    """Prints the range of a regression's predictions, and their error."""
    columns = [name for name in frame if name.startswith("prediction")]
    ranges = ", ".join(
        f"{name} from {frame[name].min():.6g} to {frame[name].max():.6g}"
        for name in columns
    )
    print_plain(f"{len(frame):,} predictions written to {output}: {ranges}.")
    if "label" in frame:
        frame = frame[frame["label"].notna()]
        scores = runs.target_results.measure(
            frame[["prediction"]].to_numpy(), frame[["label"]].to_numpy()
        )
        print_plain(
            f"The data has labels: {runs.target_results.words(scores)}."
        )


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs or sweeps.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .html file to write.")
    ] = Path("report.html"),
    tables: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write the table to, as .md, .csv and .tex."
        ),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Folder to write the plots to, as .svg.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write an HTML report on runs, with tables and plots."""
    early.require_runs(runs)
    load_backend()
    from keras_fpt.reports import write_report

    table = write_report(
        runs, output, tables, figures=figures, overwrite=overwrite
    )
    if len(table):
        print_arms(table)
    print_plain(f"Written to {output}.")


def attention(
    run_dir: FinishedRun,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .png file to write.")
    ] = Path("attention.png"),
    example: Annotated[
        int, typer.Option(help="Index of the validation example.")
    ] = 0,
    block: Annotated[
        int | None,
        typer.Option(
            help="Draw every head of this block, counted from 0.",
            show_default="all blocks, their heads averaged",
        ),
    ] = None,
    data_dir: DataDir = None,
    overwrite: Overwrite = False,
    preset: MovedPreset = None,
) -> None:
    """Draw how much each token of an example attends to the others."""
    early.require_run(run_dir)
    early.require_path(data_dir)
    early.require_preset(preset)
    load_backend()
    from keras_fpt.reports import attention_map

    panels = attention_map(
        run_dir, output, example, block, data_dir, overwrite, preset
    )
    drawn = "blocks" if block is None else f"heads of block {block}"
    print_plain(f"Attention of {len(panels)} {drawn}, drawn to {output}.")
