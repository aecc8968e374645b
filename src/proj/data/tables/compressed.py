"""Unpacks compressed files, and refuses formats that are not supported; both are recognised by the first bytes."""

import re
import zipfile
from contextlib import suppress
from importlib import import_module
from os.path import basename
from typing import Any, BinaryIO

from proj.errors import UserError
from proj.system.folders import is_companion
from proj.wording import how_many

OTHERS = {  # formats that users try although they are not supported, with a pattern of the first bytes
    "JSON": rb"\s*(\[\s*)?\{\s*[\"}]|\s*\[\s*\[",
    "HTML or XML": rb"\s*<([!?]|(html|head|meta|body|div|table)\b)|MIME-Version: ",
    "Feather": b"ARROW1",
    "Avro": b"Obj\1",
    "SQLite": b"SQLite format",
    "HDF5": b"\x89HDF",
    "PDF": b"%PDF-",
    "RTF": rb"\{\\rtf",
    "ARFF": rb"(%[^\n]*\n|\s)*@relation",
    "LIBSVM": rb"[-+]?[\d.]+( \d+:\S+){2,} *\r?\n",
    "a file of NumPy": b"\x93NUMPY",
    "a file of SPSS": rb"\$FL[23]@",
    "a file of Stata": b"<stata_dta|[\x68-\x77][\1\2]\1\0",
    "a file of SAS": rb"\0{12}\xc2\xea|HEADER RECORD\*",
    "a file of R": rb"RD[AX]\d\n|X\n\0\0\0[\2\3]",
    "a file of MATLAB": rb"MATLAB \d\.\d MAT-file",
    "pickled": b"\x80[\2-\5]",
}
# The first bytes of compressed files, by the name of the Python module that reads them.
COMPRESSED = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "lzma": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
ARCHIVES = {"7z": b"7z\xbc\xaf", "rar": rb"Rar!", "tar": rb".{257}ustar", "compress": b"\x1f\x9d"}


def refuse_other_formats(start: bytes, name: str) -> None:
    """Raises UserError if a file, apart from its byte order mark, begins as one of OTHERS or ARCHIVES does."""
    is_utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    start = start[2:].replace(b"\0", b"") if is_utf16 else start.removeprefix(b"\xef\xbb\xbf")

    def among(formats: dict[str, bytes]) -> str | None:
        return next((kind for kind, first in formats.items() if re.match(first, start, re.I | re.S)), None)

    if kind := among(OTHERS):
        raise UserError(f"{name} is {kind}, which is not read here: save the table as CSV, Parquet or Excel.")
    if kind := among(ARCHIVES):
        raise UserError(f"{name} is packed by {kind}, which is not read here: unpack it, and name the table in it.")


def unpacked(file: BinaryIO, name: str) -> tuple[BinaryIO, str]:
    """(The content of a compressed file, its name without that suffix); a file that is not compressed as it is. Raises
    UserError for an archive that does not hold exactly one file, and for one of Apple's Numbers."""
    start = file.read(6)
    file.seek(0)
    for kind, first in COMPRESSED.items():
        if start.startswith(first):
            module = zstandard(name) if kind == "zstd" else import_module(kind)
            return module.open(file), re.sub(r"\.(gz|bz2|xz|zst)$", "", name, flags=re.I)
    if start.startswith(b"PK\3\4"):
        archive = zipfile.ZipFile(file)
        members = [one for one in archive.namelist() if not one.endswith("/") and not is_companion(basename(one))]
        members = [one for one in members if not one.startswith("__MACOSX/")]
        if not {"[Content_Types].xml", "mimetype"} & {*members}:  # with one of these, the ZIP file is a spreadsheet
            if any(one.endswith(".iwa") for one in members):
                raise UserError(f"{name} is of Apple's Numbers, which is not read here: export it as Excel or CSV.")
            if any(one.endswith(".npy") for one in members):
                refuse_other_formats(b"\x93NUMPY", name)
            if len(members) != 1:
                files = how_many(len(members), "file")
                raise UserError(f"{name} holds {files}: unpack it, and name one, or their folder.")
            return archive.open(members[0]), members[0]
        file.seek(0)
    return file, name


def zstandard(name: str) -> Any:
    """The module that reads Zstandard files. Raises UserError if none is installed."""
    for module in ("compression.zstd", "backports.zstd"):  # the first one is part of Python 3.14
        with suppress(ImportError):
            return import_module(module)
    raise UserError(f"{name} is compressed with Zstandard, which needs pip install 'proj[zst]'.")
