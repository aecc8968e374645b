"""Settings whose values are texts, in the quotation marks that Hydra and the shells need."""

import re

from hydra.core.override_parser.types import Quote, QuotedString

from proj.system.shell import as_command


def as_text(value: str, quote: Quote = Quote.single) -> str:
    """A value in quotation marks, in which Hydra takes it literally."""
    return QuotedString(value, quote).with_quotes()


def within_a_word(text: str) -> str:
    """A text in quotation marks, as part of a word for the shell. The marks are single ones, around which `as_command`
    puts double ones, where the text allows that: PowerShell 5.1 removes double ones from the inside of a word."""
    return as_text(text, Quote.double if re.search(r"""['"$`\\!]""", text) else Quote.single)


def typed(key: str, *texts: str, listed: bool = False) -> str:
    """A setting with these values, as a person types it into the shell. listed: the values form one list."""
    special = ("true", "false", "null", "nan", "inf")  # without quotation marks, Hydra would not take them for texts

    def quoted(text: str) -> str:
        plain = re.fullmatch(r"[a-z_]\w*", text, re.I | re.ASCII) and text.lower() not in special
        return text if plain else within_a_word(text.replace("${", "\\${"))

    value = ",".join(map(quoted, texts))
    return as_command([f"{key}=[{value}]" if listed else f"{key}={value}"])
