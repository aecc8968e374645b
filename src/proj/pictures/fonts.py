"""Finds a font for every character of a text: DejaVu Sans, which comes with matplotlib, or a font of the system."""

import unicodedata
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from PIL import ImageFont

from proj.system.ranks import say

FONT = str(Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")
COVERED = "\u0530"  # FONT has all letters before this one, so that they need no look into the files of fonts
missing: list[str] = []  # characters that no font has; the user is told of the first one


@cache
def font(size: int, file: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)  # not PIL's built-in font, which has ASCII only


@cache
def code_points(file: str) -> set[int]:
    """The code points of the characters in a font; none for a bitmap font, such as colour emoji, or a damaged file."""
    from matplotlib.ft2font import FT2Font

    try:
        face = FT2Font(file)
        return set(face.get_charmap()) if face.scalable else set()
    except (OSError, RuntimeError):
        return set()


@cache
def system_fonts() -> list[str]:
    """The files of the system's fonts; those that look like FONT first: upright, sans-serif, of regular weight."""
    from matplotlib.font_manager import findSystemFonts

    def preference(file: str) -> tuple[bool, bool, str]:
        name = Path(file).stem.lower()
        plain = not any(word in name for word in ("bold", "light", "thin", "black", "mono", "serif", "italic", "obl"))
        return not plain, not any(word in name for word in ("sans", "gothic", "hei", "cjk")), file

    return sorted(findSystemFonts(), key=preference)


@cache
def file_for(letter: str) -> str:
    """The file of the first font that has the letter; FONT, which draws a box for it, if none has."""
    if letter < COVERED:
        return FONT
    for file in (FONT, *system_fonts()):
        if ord(letter) in code_points(file):
            return file
    if not missing:
        say(
            f"Note: no font of this system has the letter {letter}, so that pictures show a box for it: install one, "
            "such as Noto Sans CJK for Chinese, Japanese and Korean."
        )
    missing.append(letter)
    return FONT


@lru_cache(10_000)
def split_by_font(text: str, size: int) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """Split the text into parts that can each be drawn with one font."""
    files, file = [], FONT
    for letter in text:
        # A combining accent, an invisible mark or a space is drawn with the font of the letter before it.
        if unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Zs"):
            file = file_for(letter)
        files.append(file)
    groups = groupby(zip(files, text, strict=True), key=lambda pair: pair[0])
    return [(font(size, file), "".join(letter for _, letter in pairs)) for file, pairs in groups]
