"""Detects the encoding of a CSV file."""

import codecs
import re
from contextlib import suppress
from typing import BinaryIO

BLOCK = 1 << 20  # bytes that are read at a time
NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x19\x1c-\x1f]")  # bytes that occur in no text of an encoding in use
WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
FOREIGN = "À-ÖØ-öø-ÿŒœŠšŽžŸ"
# What a wrong encoding makes of words: a symbol between letters (but – ’ · ª º), an accented capital after a small one.
STRANGE = re.compile(rf"[A-Za-z{FOREIGN}][€‚ƒ„…†‡ˆ‰‹“”•˜™›¡-©«¬®-¶¸¹»-¿×÷]+[A-Za-z{FOREIGN}]|[a-zß-ÿ][À-ÖØ-ÞŒŠŽŸ]")


def find_encoding(stream: BinaryIO, otherwise: str | None) -> tuple[str, str]:
    """(The encoding of a CSV file, a remark if the choice is doubtful, else "").

    It is UTF-16 or UTF-32 if the first bytes show it, and UTF-8 if all bytes are valid in it; else `otherwise`, the
    encoding of the training's table, or if there is none, Windows-1252, provided that the words look sensible in it.
    Raises UnicodeError if no encoding fits.
    """
    start = stream.read(4)
    if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32", ""
    if start.count(b"\0") == 3:
        return "utf-32-be" if start[0] == 0 else "utf-32-le", ""
    start = start[:2]
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16", ""
    if b"\0" in start:
        return "utf-16-be" if start[0] == 0 else "utf-16-le", ""
    decoder = codecs.getincrementaldecoder("utf-8")()
    stream.seek(0)
    try:
        while block := stream.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
        return "utf-8-sig", ""
    except UnicodeDecodeError as error:
        if otherwise:
            return otherwise, f"is read as {otherwise}, as the training's table was"
        stream.seek(0)
        words: dict[bytes, None] = {}
        while block := stream.read(BLOCK):
            if b"\0" in block:  # a binary file
                raise UnicodeError(str(error)) from None
            words.update(dict.fromkeys(WORD.findall(block)))
        with suppress(UnicodeDecodeError):
            found = [word.decode("cp1252") for word in words]
            text = " ".join(found)
            if len(re.findall(f"[{FOREIGN}]", text)) <= len(re.findall("[A-Za-z]", text)) and not STRANGE.search(text):
                return "cp1252", f"is not in UTF-8 and is read as cp1252 ({', '.join(found[:3])})"
        raise UnicodeError(str(error)) from None
