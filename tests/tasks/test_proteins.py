import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_fpt.tasks.proteins import AMINO_ACIDS, encode, read_fasta

pytestmark = pytest.mark.backend_free

sequences = st.text(AMINO_ACIDS, min_size=1)


def write(tmp_path, content, name="proteins.fasta"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_there_are_20_common_and_5_other_amino_acids():
    assert len(set(AMINO_ACIDS)) == len(AMINO_ACIDS) == 25
    assert AMINO_ACIDS[:20] == "".join(sorted(AMINO_ACIDS[:20]))
    assert AMINO_ACIDS[20:] == "XBZUO"


def test_tokens_are_places_in_the_alphabet():
    tokens = encode(AMINO_ACIDS, "here")
    assert tokens.dtype == np.int32
    assert tokens.tolist() == list(range(25))


@given(sequences, st.randoms())
def test_lower_case_and_a_stop_change_nothing(sequence, random):
    mixed = "".join(random.choice([c, c.lower()]) for c in sequence)
    decoded = "".join(AMINO_ACIDS[token] for token in encode(mixed, "here"))
    assert decoded == sequence
    np.testing.assert_array_equal(
        encode(mixed + "*", "here"), encode(sequence, "here")
    )


def test_leucine_or_isoleucine_is_unknown():
    np.testing.assert_array_equal(encode("AJj", ""), encode("AXX", ""))


ALLOWED = {*AMINO_ACIDS, *AMINO_ACIDS.lower(), "J", "j"}


@given(sequences, st.characters(exclude_characters=ALLOWED), sequences)
def test_any_other_character_is_named(before, wrong, after):
    with pytest.raises(ValueError) as error:
        encode(before + wrong + after, "`a.fasta`, record 7")
    assert str(error.value).startswith(
        f"`a.fasta`, record 7: {wrong!r} at position {len(before) + 1} "
    )


@pytest.mark.parametrize("empty", ["", "*"])
def test_an_empty_sequence_is_refused(empty):
    with pytest.raises(ValueError, match="record 7: the sequence is empty"):
        encode(empty, "record 7")


def test_read_fasta(tmp_path):
    path = write(
        tmp_path,
        b"\xef\xbb\xbf; a comment\r\n>one the first protein\r\nMKV\r\nLL A\r\n"
        b"\r\n; another\r\n> two\r\nacd*\r\n>sp|P1|three\r\nW",
    )
    assert read_fasta(path) == [
        ("one", "MKVLLA"),
        ("two", "acd*"),
        ("sp|P1|three", "W"),
    ]


@given(
    records=st.dictionaries(
        st.text("abzXY019|_.:->;é", min_size=1), sequences, min_size=1
    ),
    width=st.integers(1, 80),
    end=st.sampled_from(["\n", "\r\n"]),
    suffix=st.sampled_from(["fasta", "fasta.gz"]),
)
def test_fasta_round_trip(tmp_path_factory, records, width, end, suffix):
    lines = []
    for name, sequence in records.items():
        lines.append(f">{name} some words")
        lines += [
            sequence[place : place + width]
            for place in range(0, len(sequence), width)
        ]
    content = end.join(lines).encode()
    if suffix.endswith("gz"):
        content = gzip.compress(content)
    path = write(tmp_path_factory.mktemp("fasta"), content, f"a.{suffix}")
    assert read_fasta(path) == list(records.items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\nMKV\n>a\nM", r"proteins.fasta`, line 2: expected a header"),
        (b">a\nM\n>  \nM", r"proteins.fasta`, line 3: the header has no ID"),
        (b">a\n>b\nM", r"proteins.fasta`, line 1: 'a' has no sequence"),
        (b">a\nM\n>b\n;\n", r"proteins.fasta`, line 3: 'b' has no sequence"),
        (b">a\nM\n\n>a x\nM", r"line 4: the ID 'a' is that of line 1 too"),
        (b"", r"proteins.fasta` has no records"),
        (b"; only a comment\n", r"proteins.fasta` has no records"),
        (b">a\nM\xff\xfe\n", r"proteins.fasta`, line 2: this is not text"),
        (bytes(100), r"proteins.fasta`, line 1: expected a header"),
    ],
)
def test_damaged_fasta(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_fasta(write(tmp_path, content))


@pytest.mark.parametrize(
    "content", [b">a\nM", gzip.compress(b">a\nM", mtime=0)[:-9], b""]
)
def test_damaged_gzip(tmp_path, content):
    path = write(tmp_path, content, "a.fasta.gz")
    with pytest.raises(ValueError, match=r"a\.fasta\.gz`"):
        read_fasta(path)
