"""Which format a file has: its content decides, its name breaks a tie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath

from tunewright.core.errors import UserError
from tunewright.data.formats.conll import looks_tagged

TABLES = "Tables are CSV, TSV, XLSX, JSON, JSONL, Parquet, Arrow or CoNLL"
ENDINGS: Mapping[str, str] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".psv": "csv",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow", ".arrows": "arrow",
    ".xlsx": "xlsx", ".xlsm": "xlsx",
    ".conll": "conll", ".conll2003": "conll", ".bio": "conll", ".iob": "conll", ".iob2": "conll", ".bioes": "conll", ".bilou": "conll",
}  # fmt: skip
"""File ending -> the format it promises. ``csv`` stands for all delimited text, ``conll`` for tagged tokens."""

KINDS = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow-stream"),
    (b"PK\x03\x04", "xlsx"),
)
STRANGERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a sound, video or WebP file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or one locked with a password"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
    (b"{\\rtf", "a rich text document"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
)
REMEDIES = {
    "archive": "Unpack it first and give the file inside",
    "Excel": "Open it in Excel and save it without a password as .xlsx or CSV",
    "database": "Export the table as CSV or Parquet first",
}


def promised(name: str) -> str:
    """The format that a file's ending promises; ``.gz`` and ``.zst`` are looked through. Empty when it promises none."""
    path = PurePath(name)
    if path.suffix.lower() in {".gz", ".zst", ".zstd", ".gzip"}:
        path = PurePath(path.stem)
    return ENDINGS.get(path.suffix.lower(), "")


def binary_format(head: bytes, name: str) -> str:
    """``parquet``, ``arrow``, ``arrow-stream`` or ``xlsx`` when the first bytes say so, else empty: it is text.

    Raises:
        UserError: it is known to be no table, or its ending promises a binary table and it is none.
    """
    if not head:
        raise UserError(f"{name} is empty", "Wanted: a table with a line of column names and at least one row", "Check how it was written")
    for magic, kind in STRANGERS:
        if head.startswith(magic):
            remedy = next((remedy for word, remedy in REMEDIES.items() if word in kind), "Give the file that holds the rows")
            raise UserError(f"{name} is {kind}, not a table", TABLES, remedy)
    for magic, found in KINDS:
        if head.startswith(magic):
            return found
    wanted = promised(name)
    if wanted in {"parquet", "arrow"}:
        if (wanted == "arrow" and head[4:8] == b"\0\0\0\0") or head[:4] == b"\0\0\0\0":
            return "arrow-stream"
        raise UserError(f"{name} does not begin as {wanted.title()} files do: it is damaged, or it is something else",
                        TABLES, "Write or download it again")  # fmt: skip
    return ""


def refuse_binary(head: bytes, name: str) -> None:
    """Refuse bytes that are not text in any encoding.

    Args:
        head: the beginning of a file that no byte order mark or pattern of NULs shows to be UTF-16 or UTF-32.

    Raises:
        UserError: more than one byte in a hundred is a control character that does not stand in text.
    """
    odd = len(head) - len(head.translate(None, bytes([*range(9), 11, *range(14, 27), *range(28, 32), 127])))
    if odd > max(3, len(head) // 100) or (odd and odd * 4 >= len(head)):
        raise UserError(f"{name} is a binary file, not a table", TABLES,
                        "Give the file that holds the rows, or export it as CSV with the encoding UTF-8")  # fmt: skip


def text_format(text: str, name: str, whole: bool) -> str:
    """``csv``, ``json``, ``jsonl`` or ``conll``.

    Args:
        text: the beginning of the file.
        whole: whether it is all of the file.

    Raises:
        UserError: it is a web page, a Git LFS pointer, or blank.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if not start and whole:
        raise UserError(
            f"{name} is empty: it holds nothing but white space", "Wanted: a table with at least one row", "Check how it was written"
        )
    if start[:9].lower().startswith(("<!doctype", "<html", "<?xml")):
        raise UserError(f"{name} is a web page or XML, not a table", TABLES, "Download or export the table itself")
    if start.startswith("version https://git-lfs"):
        raise UserError(f"{name} is a Git LFS pointer; the file itself was not fetched", "Wanted: the file", "Fetch it: git lfs pull")
    wanted = promised(name)
    if wanted == "conll" or (wanted in {"", "csv"} and looks_tagged(text, whole)):
        return "conll"
    if wanted == "jsonl" or (wanted == "json" and not start.startswith("{")):
        return wanted
    if start.startswith("["):
        return "json" if start[1:].lstrip()[:1] in {"{", "]"} or (wanted == "json" and start[1:].lstrip()[:1] == "[") else "csv"
    if not start.startswith("{"):
        return "csv"
    return _kind_of_objects(start, wanted, whole)


def _kind_of_objects(start: str, wanted: str, whole: bool) -> str:
    """A text that begins with a brace: one JSON document, or one object in each line, or neither."""
    first, _, rest = start.partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return "json" if wanted == "json" and whole and not rest.strip() else "jsonl"
    if wanted == "csv" and first.rstrip() != "{":
        return "csv"
    return "json" if wanted == "json" or first.rstrip() == "{" or not rest else "jsonl"
