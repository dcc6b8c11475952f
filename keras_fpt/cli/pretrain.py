"""`keras-fpt pretrain bit-memory` and `pretrain language-model`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.console import print_plain
from keras_fpt.cli.flags import FlagsOf, with_flags
from keras_fpt.compat import typer_flags
from keras_fpt.pretraining import BitMemoryConfig, LanguageModelConfig


@with_flags(settings=FlagsOf(BitMemoryConfig))
def bit_memory(
    settings: dict,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Output folder of the preset.",
            show_default="the folder that the arm bit loads from",
        ),
    ] = None,
) -> None:
    """Train all weights of a new backbone on bit memory."""
    load_backend()
    from keras_fpt.pretraining import pretrain_bit_memory

    record = pretrain_bit_memory(BitMemoryConfig(**settings), output)
    print_plain(
        f"{record['accuracy']:.1%} of the bits are recalled correctly after "
        f"{record['steps']:,} steps. Written to {record['folder']}."
    )
    if record["accuracy"] < record["target_accuracy"]:
        print_plain(
            "Bit memory is not solved. Repeat the command with more --steps or "
            "another --learning-rate."
        )


@with_flags(settings=FlagsOf(LanguageModelConfig))
def language_model(
    text: Annotated[
        list[str], typer.Option(help="A UTF-8 text file; may be repeated.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Output folder of the preset."),
    ],
    settings: dict,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an existing run.")
    ] = False,
) -> None:
    """Train a tokenizer and a GPT-2 on plain text.

    Documents end at a line that contains only <|endoftext|>, or at the end of a
    file.
    """
    load_backend()
    from keras_fpt.pretraining import pretrain_language_model

    config = LanguageModelConfig(texts=tuple(text), **settings)
    results = pretrain_language_model(config, str(output), resume)
    print_plain(
        f"Validation loss {results['validation_loss']:.4f}, "
        f"{results['bits_per_byte']:.3f} bits per byte (bigram: "
        f"{results['bigram_bits_per_byte']:.3f}). Written to {output}."
    )


app = typer.Typer(
    cls=typer_flags.Group,
    help="Make presets: pretrain a backbone.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("bit-memory")(bit_memory)
app.command("language-model")(language_model)
