"""Cells of tables that other programs open."""

import html
import re

# https://owasp.org/www-community/attacks/CSV_Injection
_BEGINS_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*\[\]|])")


def escape_formula(text: str) -> str:
    """A cell of a CSV file that no spreadsheet reads as a formula.

    Where the text would begin a formula, an apostrophe is put before it.
    Numbers such as -1 stay as they are.

    Args:
        text: string.

    >>> [escape_formula(text) for text in ("=1+1", "-1", "-x", "a=b")]
    ["'=1+1", '-1', "'-x", 'a=b']
    """
    is_formula = _BEGINS_FORMULA.match(text) and not _NUMBER.match(text)
    return f"'{text}" if is_formula else text


def escape_markdown(text: str) -> str:
    r"""A cell of a Markdown table that shows the text as it is.

    Args:
        text: string.

    >>> print(escape_markdown("<b>|[x](y)"))
    &lt;b&gt;\|\[x\](y)
    """
    escaped = _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))
    return " ".join(escaped.splitlines())
