"""What a compressed file holds, told by its first bytes."""

import bz2
import gzip
import lzma
import re
import zipfile
from contextlib import suppress
from os.path import basename
from typing import Any, BinaryIO

from proj.errors import UserError, how_many
from proj.system.platform import is_companion


def unpacked(file: BinaryIO, name: str) -> tuple[BinaryIO, str]:
    """(What a compressed file holds, its name without the ending for that); a file that is not compressed as it is."""
    start = file.read(6)
    file.seek(0)
    inner = re.sub(r"\.(gz|bz2|xz|zst)$", "", name, flags=re.I)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(file), inner
    if start.startswith(b"BZh"):
        return bz2.open(file), inner
    if start == b"\xfd7zXZ\0":
        return lzma.open(file), inner
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard(name).open(file), inner
    if start.startswith(b"PK\3\4"):
        archive = zipfile.ZipFile(file)
        members = [one for one in archive.namelist() if not one.endswith("/") and not is_companion(basename(one))]
        members = [one for one in members if not one.startswith("__MACOSX/")]
        if not {"[Content_Types].xml", "mimetype"} & {*members}:  # else a spreadsheet, which is such an archive, too
            if len(members) != 1:
                raise UserError(
                    f"{name} holds {how_many(len(members), 'file')}: unpack it, and name one, or their folder."
                )
            return archive.open(members[0]), members[0]
        file.seek(0)
    return file, name


def zstandard(name: str) -> Any:
    with suppress(ImportError):
        from compression import zstd  # of Python 3.14

        return zstd
    with suppress(ImportError):
        from backports import zstd

        return zstd
    raise UserError(f"{name} is compressed with Zstandard, which needs pip install 'proj[zst]'.")
