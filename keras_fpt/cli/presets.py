"""`keras-fpt presets` and `presets show`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.console import cell, console
from keras_fpt.compat import typer_flags


def list_presets(context: typer.Context) -> None:
    """List the presets, or show one."""
    if context.invoked_subcommand is not None:
        return
    import json

    from keras_fpt import presets

    table = Table("packaged preset", "layers", "width", "heads", "positions")
    for name in presets.names():
        config = json.loads(
            Path(presets.path(name), "config.json").read_bytes()
        )
        table.add_row(
            name,
            *(
                str(config["config"][key])
                for key in (
                    "num_layers",
                    "hidden_dim",
                    "num_heads",
                    "max_sequence_length",
                )
            ),
        )
    console.print(table)
    load_backend()
    import keras_hub

    names = ", ".join(sorted(keras_hub.models.GPT2Backbone.presets))
    console.print(
        f"Downloaded from KerasHub on first use: {names}, and presets of the "
        "other families.\nAlso: hf://USER/MODEL, kaggle://..., gguf:FILE, and "
        "any local KerasHub or Hugging Face folder.\n"
        "`keras-fpt presets show NAME` shows one."
    )


def show_preset(
    name: Annotated[
        str,
        typer.Argument(
            help="Name or path of a preset, as for `train --preset`."
        ),
    ],
) -> None:
    """Show a preset's family and sizes, and which parameters would train."""
    load_backend()
    from keras_fpt import FPTClassifier
    from keras_fpt.presets import Preset

    # The sizes do not depend on the pretrained weights.
    backbone = Preset.parse(name).load_backbone(load_weights=False)
    table = Table(title=cell(name), show_header=False)
    table.add_row("family", type(backbone).__name__)
    for key, label in (
        ("num_layers", "blocks"),
        ("hidden_dim", "width"),
        ("num_heads", "heads"),
        ("num_query_heads", "query heads"),
        ("num_key_value_heads", "key and value heads"),
        ("intermediate_dim", "feedforward width"),
        ("max_sequence_length", "positions"),
        ("vocabulary_size", "vocabulary"),
    ):
        value = getattr(backbone, key, None)
        if value is not None:
            table.add_row(label, f"{value:,}")
    count = backbone.count_params()
    table.add_row("parameters", f"{count:,}, {count * 4e-6:,.1f} MB as float32")
    console.print(table)
    report = FPTClassifier(backbone).parameter_report()
    groups = Table("group", "parameters", "share", "policy fpt")
    for group, row in report.drop(["output", "total"]).iterrows():
        groups.add_row(
            group,
            f"{row['parameters']:,}",
            f"{row['share']:.2%}",
            "trains" if row["trains"] else "frozen",
        )
    console.print(groups)


app = typer.Typer(
    cls=typer_flags.Group,
    help="List the presets, or show one.",
    add_completion=False,
)
app.callback(invoke_without_command=True)(list_presets)
app.command("show")(show_preset)
