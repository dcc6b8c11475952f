"""Makes a tokenizer and an array of tokens on disk from plain text files."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt import files
from keras_fpt.files import atomic

END_OF_TEXT = "<|endoftext|>"
LINES_PER_BATCH = 10_000


def check_files(paths: Iterable[str]) -> None:
    """Raises `FileNotFoundError` for the first file that does not exist."""
    for path in paths:
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no text file `{path}`.")


def read_lines(paths: Iterable[str]) -> Iterator[str]:
    """Yields the lines of text files, with their line ends.

    The end of a file, and a line that is only `<|endoftext|>`, end a
    document and yield `END_OF_TEXT`.

    Args:
        paths: list of paths of UTF-8 text files.

    Raises:
        ValueError: a file is not UTF-8 text.
    """
    for path in paths:
        try:
            with open(path, encoding="utf-8", newline="\n") as file:
                for line in file:
                    yield END_OF_TEXT if line.strip() == END_OF_TEXT else line
        except UnicodeDecodeError as error:
            raise ValueError(
                f"`{path}` is not UTF-8 text ({error}). Convert it first, "
                "e.g. with iconv."
            ) from error
        yield END_OF_TEXT


def train_tokenizer(
    paths: Sequence[str], vocabulary_size: int, folder: str
) -> None:
    """Trains a byte-level BPE tokenizer and writes GPT-2's two files.

    Args:
        paths: list of paths of text files.
        vocabulary_size: int, including `<|endoftext|>` (token 0).
        folder: folder for `vocabulary.json` and `merges.txt`.

    Source: Radford et al., 2019, section 2.2.
    """
    from tokenizers import pre_tokenizers, trainers

    tokenizer = _byte_level_bpe()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = (line for line in read_lines(paths) if line != END_OF_TEXT)
    tokenizer.train_from_iterator(text, trainer)
    size = tokenizer.get_vocab_size()
    if size != vocabulary_size:
        raise ValueError(
            f"Expected a vocabulary of {vocabulary_size} tokens, but the text "
            f"supports {size}. Give more text or a vocabulary size between "
            f"257 and {size}."
        )
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = json.dumps(model["vocab"])
    files.write_text(os.path.join(folder, "vocabulary.json"), vocabulary)
    merges = "".join(f"{left} {right}\n" for left, right in model["merges"])
    files.write_text(os.path.join(folder, "merges.txt"), merges)


def load_tokenizer(folder: str) -> Any:
    """Loads the tokenizer that `train_tokenizer` wrote.

    Returns:
        A `tokenizers.Tokenizer`.

    Raises:
        ValueError: a file is missing or damaged.
    """
    from tokenizers import models

    try:
        model = models.BPE.from_file(
            os.path.join(folder, "vocabulary.json"),
            os.path.join(folder, "merges.txt"),
        )
    # The package has no error types of its own.
    except Exception as error:
        raise ValueError(
            f"The tokenizer in `{folder}` is damaged: {error}"
        ) from error
    return _byte_level_bpe(model)


def _byte_level_bpe(model: Any = None) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def tokenize(paths: Sequence[str], tokenizer: Any, path: str) -> int:
    """Writes the tokens of text files to a file.

    Text is read and tokenized in batches of lines, so that memory does not
    grow with its length.

    Args:
        paths: list of paths of text files.
        tokenizer: a `tokenizers.Tokenizer`.
        path: the file to write: the tokens as little-endian uint16.

    Returns:
        The number of tokens.
    """
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    count = 0
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        for lines in _batches(read_lines(paths), LINES_PER_BATCH):
            # The marker becomes its token only on a line of its own.
            texts = ["" if line == END_OF_TEXT else line for line in lines]
            for line, encoding in zip(
                lines, tokenizer.encode_batch_fast(texts), strict=True
            ):
                ids = [end_of_text] if line == END_OF_TEXT else encoding.ids
                file.write(np.asarray(ids, "<u2").tobytes())
                count += len(ids)
    return count


def _batches(iterator: Iterable[str], size: int) -> Iterator[list[str]]:
    batch = []
    for item in iterator:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
