"""Finds the encoding of a text file."""

import codecs
import pathlib
import re
import unicodedata
from typing import BinaryIO

from keras_fpt.tasks.user_data.tables.table_archives import Source

UTF_8 = "utf-8-sig"
BLOCK = 2**20
MAX_SAMPLE = 2**16
# The longest mark comes first: that of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: UTF_8,
}
# Windows code pages of one byte per character, the most common one first,
# and encodings of several bytes.
CODE_PAGES = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257"),
    *("cp1255", "cp1256", "koi8_r", "cp874"),
]
# Kinds of characters that are strange within words: signs, and controls.
_ODD = ("Sk", "So", "No", "Po", "Sm", "Sc", "Cc", "Cn")
# Signs of units and quotes. In other encodings, they are rare or no words.
_SIGNS = "µ°±²³¹½¼¾×÷·€£§©®–—‘’“”…\N{NO-BREAK SPACE}"
LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
# Of old Macintosh and DOS programs, if no word is odd in them.
OLD_PAGES = ("mac_roman", "cp850")
WIDE = ["cp932", "euc_jp", "gb18030", "big5", "cp949"]
ADVICE = " If it is in another encoding, name it with encoding (--encoding)."


def find_encoding(source: Source, named: str | None = None) -> str:
    """Finds the encoding of a text file.

    A mark at the beginning decides. Otherwise text that is valid UTF-8 is
    UTF-8, and other text is in the encoding that is named, or guessed.

    Args:
        source: a `Source`.
        named: string, one of Python's codecs, or `None`.

    Returns:
        A string, the name of one of Python's codecs.

    Raises:
        ValueError: the file does not hold text, or there is no such codec.
    """
    check_name(named)
    with source.open() as file:
        start = file.read(4096)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            if encoding != UTF_8:
                _check_text(start, encoding, source.path)
            return encoding
    if named is not None:
        with source.open() as file:
            is_utf_8 = _is_utf_8_beyond_ascii(file)
        # Text in another encoding is very rarely valid UTF-8.
        return UTF_8 if is_utf_8 else named
    # Without a mark, every second byte of Latin text in UTF-16 is zero.
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = start[first::2].count(0)
        if zeros > 0.4 * len(start[first::2]) and zeros > 4 * start[
            1 - first :: 2
        ].count(0):
            _check_text(start, encoding, source.path)
            return encoding
    if any(mark in start for mark in (b"\x1b$B", b"\x1b$@")):
        return "iso2022_jp"
    with source.open() as file:
        sample = _lines_beyond_utf_8(file)
    if not sample:
        return UTF_8
    encoding = _guess(sample)
    _check_text(start, encoding, source.path)
    return encoding


def check_name(named: str | None) -> None:
    """Raises `ValueError` unless it is one of Python's codecs, or `None`."""
    if named is None:
        return
    try:
        "a".encode(named)  # Nothing is looked up for an empty string.
    except LookupError:  # Also of codecs that are not for text.
        raise ValueError(
            f"There is no encoding '{named}' (--encoding). Expected a name "
            "such as utf-8, cp1252, shift_jis, gb18030, big5, euc_kr or koi8_r."
        ) from None


def _is_utf_8_beyond_ascii(file: BinaryIO) -> bool:
    """Whether text is UTF-8, and not only ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    try:
        while block := file.read(BLOCK):
            is_ascii = is_ascii and block.isascii()
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not is_ascii


def _lines_beyond_utf_8(file: BinaryIO) -> bytes:
    """The lines that are not ASCII, if the file is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    sample = b""
    is_utf_8 = True
    while block := file.read(BLOCK):
        if is_utf_8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf_8 = False
        if not block.isascii() and len(sample) < MAX_SAMPLE:
            lines = re.split(rb"[\r\n]+", block)
            sample += b"\n".join(line for line in lines if not line.isascii())
        if not is_utf_8 and len(sample) >= MAX_SAMPLE:
            break
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        is_utf_8 = False
    return b"" if is_utf_8 else sample[:MAX_SAMPLE]


def _guess(sample: bytes) -> str:
    """The encoding in which bytes that are not UTF-8 become words."""
    import charset_normalizer

    latin = sample.decode(CODE_PAGES[0], "replace")
    if all(c.isascii() or c in _SIGNS for c in latin):
        return CODE_PAGES[0]
    runs = re.findall(rb"[\x80-\xff]+", sample)
    is_wide = sum(map(len, runs)) >= 2 * len(runs)
    matches = charset_normalizer.from_bytes(
        sample, cp_isolation=[*CODE_PAGES, *(WIDE if is_wide else [])]
    )
    likely = {
        encoding
        for match in matches
        for encoding in match.could_be_from_charset
        if encoding in CODE_PAGES
    }
    best = matches.best()
    if best is not None and best.encoding in WIDE:
        return best.encoding
    pages = [page for page in CODE_PAGES if page in likely] or CODE_PAGES[:1]
    odd = {p: _oddities(sample.decode(p, "replace")) for p in pages}
    if min(odd.values()):
        for page in OLD_PAGES:
            if not _oddities(sample.decode(page, "replace")):
                return page
    pages = [page for page in pages if odd[page] == min(odd.values())]
    # Of alphabets that all make words, the one whose words are more usual.
    ranks = {match.encoding: i for i, match in enumerate(matches)}
    if not {*pages} & {*LATIN}:
        pages.sort(key=lambda page: ranks.get(page, len(ranks)))
    return pages[0]


def _oddities(text: str) -> int:
    """How many characters are strange within words."""
    odd = sum(
        not c.isascii() and c not in "¿¡" and unicodedata.category(c) in _ODD
        for c in text
    )
    # A quote within a word, say.
    odd += len(re.findall(r"(?<=[^\W\d_])[‹›«»“”„‘‚†‡•…](?=[^\W\d_])", text))
    pairs = zip(text, text[1:], strict=False)
    return odd + sum(a.islower() and b.isupper() for a, b in pairs)


def _check_text(start: bytes, encoding: str, path: pathlib.Path) -> None:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start)
    strange = {
        c
        for c in text[1:]
        if c in "\ufeff\ufffe\ufffd"
        or (unicodedata.category(c) == "Cc" and c not in "\t\r\n\f\v\x1a")
    }
    if strange:
        raise ValueError(
            f"`{path}` is not a table in UTF-8, nor one in {encoding}: it "
            f"contains the character {min(strange)!a}.{ADVICE}"
        )
