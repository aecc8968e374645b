"""A font for every letter of a text: matplotlib's own, or where it lacks one, the first of the system's that has it."""

import unicodedata
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from PIL import ImageFont

from proj.system.ranks import say

FONT = str(Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")
KNOWN = "\u0530"  # it has all letters before this one, and those are looked up in no file
missing: list[str] = []  # letters that no font has; the first is said


@cache
def font(size: int, file: str = FONT) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)  # PIL's own knows ASCII alone


@cache
def letters(file: str) -> set[int]:
    """The letters that a font has; none where its size is fixed, as of coloured pictographs."""
    from matplotlib.ft2font import FT2Font

    try:
        face = FT2Font(file)
        return set(face.get_charmap()) if face.scalable else set()
    except (OSError, RuntimeError):
        return set()


@cache
def system_fonts() -> list[str]:
    """Upright sans-serif ones of a usual weight first."""
    from matplotlib.font_manager import findSystemFonts

    def odd(file: str) -> tuple[bool, bool, str]:
        name = Path(file).stem.lower()
        plain = not any(word in name for word in ("bold", "light", "thin", "black", "mono", "serif", "italic", "obl"))
        return not plain, not any(word in name for word in ("sans", "gothic", "hei", "cjk")), file

    return sorted(findSystemFonts(), key=odd)


@cache
def file_for(letter: str) -> str:
    if letter < KNOWN:
        return FONT
    for file in (FONT, *system_fonts()):
        if ord(letter) in letters(file):
            return file
    if not missing:
        say(
            f"Note: no font of this system has the letter {letter}, so that pictures show a box for it: install one, "
            "such as Noto Sans CJK for Chinese, Japanese and Korean."
        )
    missing.append(letter)
    return FONT


@lru_cache(10_000)
def pieces(text: str, size: int) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """The text in pieces of one font each."""
    files, file = [], FONT
    for letter in text:
        if unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Zs"):  # accents and spaces go with what is before
            file = file_for(letter)
        files.append(file)
    groups = groupby(zip(files, text, strict=True), key=lambda pair: pair[0])
    return [(font(size, file), "".join(letter for _, letter in pairs)) for file, pairs in groups]
