"""The pages of the documentation: README.md and docs/."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)  # the text of all pages


def python_lines(word: str) -> str:
    """The block of Python on a page that contains this word."""
    return re.search(rf"```python\n((?:(?!```).)*{word}.*?)```", README, re.S)[1]
