"""The pages that a reader of the project meets."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)  # the README, and what it leads to
