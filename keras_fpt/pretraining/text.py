"""Plain text files to a tokenizer and one long array of tokens on disk."""

import json
import os

import numpy as np

END_OF_TEXT = "<|endoftext|>"
LINES_PER_BATCH = 10_000


def check_files(paths):
    """Raises `FileNotFoundError` for the first file that does not exist."""
    for path in paths:
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no text file `{path}`.")


def read_lines(paths):
    """Yields the lines of text files, with their line ends.

    A file's end and a line that is `<|endoftext|>` alone both end a document
    and yield `END_OF_TEXT`.

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
                "for instance with iconv."
            ) from error
        yield END_OF_TEXT


def train_tokenizer(paths, vocabulary_size, folder):
    """Trains a byte-level BPE tokenizer and writes it as GPT-2's two files.

    Args:
        paths: list of paths of text files.
        vocabulary_size: int, with `<|endoftext|>` (token 0) counted in.
        folder: where `vocabulary.json` and `merges.txt` go.

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
    with open(os.path.join(folder, "vocabulary.json"), "w") as file:
        json.dump(model["vocab"], file)
    with open(os.path.join(folder, "merges.txt"), "w") as file:
        file.writelines(f"{left} {right}\n" for left, right in model["merges"])


def load_tokenizer(folder):
    """Loads what `train_tokenizer` wrote, as a `tokenizers.Tokenizer`.

    Raises:
        ValueError: a file is not there or damaged.
    """
    from tokenizers import models

    try:
        model = models.BPE.from_file(
            os.path.join(folder, "vocabulary.json"),
            os.path.join(folder, "merges.txt"),
        )
    # The package has no errors of its own.
    except Exception as error:
        raise ValueError(
            f"The tokenizer in `{folder}` is damaged: {error}"
        ) from error
    return _byte_level_bpe(model)


def _byte_level_bpe(model=None):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def tokenize(paths, tokenizer, path):
    """Writes the tokens of text files to `path`, streaming.

    Lines are tokenized one by one, so that memory does not grow with the
    text.

    Args:
        paths: list of paths of text files.
        tokenizer: a `tokenizers.Tokenizer`.
        path: the file to write: little-endian uint16, nothing else.

    Returns:
        The number of tokens.
    """
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    count = 0
    with open(path + ".tmp", "wb") as file:
        for lines in _batches(read_lines(paths), LINES_PER_BATCH):
            # The marker is not text: only its own line becomes its token.
            texts = ["" if line == END_OF_TEXT else line for line in lines]
            for line, encoding in zip(
                lines, tokenizer.encode_batch_fast(texts), strict=True
            ):
                ids = [end_of_text] if line == END_OF_TEXT else encoding.ids
                file.write(np.asarray(ids, "<u2").tobytes())
                count += len(ids)
    os.replace(path + ".tmp", path)
    return count


def _batches(iterator, size):
    batch = []
    for item in iterator:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
