"""The pages that a reader of the project meets."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)  # the README, and what it leads to


def python_lines(word: str) -> str:
    """The lines of Python on a page that hold this word."""
    return re.search(rf"```python\n((?:(?!```).)*{word}.*?)```", README, re.S)[1]
