import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_fpt.pretraining import text

pytestmark = pytest.mark.backend_free

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "it", "gone"]


def write_corpus(folder, lines=400):
    generator = np.random.default_rng(0)
    path = folder / "corpus.txt"
    sentences = [" ".join(generator.choice(WORDS, 8)) for _ in range(lines)]
    sentences[lines // 2] = text.END_OF_TEXT
    path.write_text("\n".join(sentences) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    text.train_tokenizer([write_corpus(folder)], 280, str(folder))
    return folder


def test_vocabulary_has_the_size_asked_for(folder):
    tokenizer = text.load_tokenizer(str(folder))
    assert tokenizer.get_vocab_size() == 280
    assert tokenizer.token_to_id(text.END_OF_TEXT) == 0


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_any_text_comes_back(folder, string):
    tokenizer = text.load_tokenizer(str(folder))
    assert tokenizer.decode(tokenizer.encode(string).ids) == string


def test_keras_hub_reads_the_same_tokens(folder):
    import keras_hub

    ours = text.load_tokenizer(str(folder))
    theirs = keras_hub.models.GPT2Tokenizer(
        str(folder / "vocabulary.json"), str(folder / "merges.txt")
    )
    for string in (
        "the cat sat on a mat",
        "She said: 'gone'?\n\n  (1842) — naïve café!",
        "don't  stop\n",
    ):
        assert ours.encode(string).ids == list(np.asarray(theirs(string)))


def test_token_file_holds_every_line_and_marker(folder, tmp_path):
    corpus = str(folder / "corpus.txt")
    tokenizer = text.load_tokenizer(str(folder))
    path = str(tmp_path / "tokens.bin")
    count = text.tokenize([corpus, corpus], tokenizer, path)
    tokens = np.fromfile(path, "<u2")
    assert len(tokens) == count
    # One marker in the middle and one at the end of each file.
    assert (tokens == 0).sum() == 4
    ends = np.flatnonzero(tokens == 0)
    with open(corpus) as file:
        first = file.read().split(text.END_OF_TEXT)[0]
    assert tokenizer.decode(tokens[: ends[0]].tolist()) == first


def test_too_little_text_for_the_vocabulary(folder, tmp_path):
    with pytest.raises(ValueError, match="Expected a vocabulary of 5000"):
        text.train_tokenizer([str(folder / "corpus.txt")], 5000, str(tmp_path))


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no text file"):
        text.check_files([str(tmp_path / "none.txt")])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="not UTF-8"):
        list(text.read_lines([str(tmp_path / "binary")]))
