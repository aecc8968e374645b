"""Separates a command line's flags for Hydra, such as --multirun and --config-dir=conf, from its settings."""

import re
from collections.abc import Container, Iterable
from difflib import get_close_matches

from proj.config.settings.table import SETTINGS
from proj.errors import UserError, choose, nearest
from proj.system.shell import local_path

# Hydra's flags by their short forms, and those that take a value.
SHORT = {"-h": "--help", "-c": "--cfg", "-p": "--package", "-r": "--run", "-m": "--multirun", "-i": "--info"}
SHORT |= {"-sc": "--shell-completion", "-cp": "--config-path", "-cn": "--config-name", "-cd": "--config-dir"}
TAKE_VALUES = ("--cfg", "--package", "--config-path", "--config-name", "--config-dir", "--info")
SHOWS = {"--cfg": ("job", "hydra", "all")}
SHOWS["--info"] = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
WAYS = ("--run", "--multirun", "--cfg", "--info", "--shell-completion")  # Hydra takes only one of them
# Hydra's --experimental-rerun is not among them: it would unpickle a file, which can run any code.
FLAGS = (*SHORT.values(), "--hydra-help", "--version", "--resolve")
LONG_DASHES = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")


def without_dashes(word: str, meant: str = "") -> str:
    """The end of a message on a word such as --max-epochs=3: how to type it. meant: the setting, if it is known."""
    key, _, value = word.lstrip("-").partition("=")
    return f"without dashes: {meant or key.replace('-', '_')}={value or '…'}"


def setting_of(word: str) -> str:
    """The setting meant by a word such as --max-epochs=3: trainer.max_epochs, if no other setting ends in that name."""
    key = word.lstrip("-").partition("=")[0].replace("-", "_")
    fitting = [setting for setting in SETTINGS if setting.endswith(f".{key}")]
    return key if key in SETTINGS or len(fitting) != 1 else fitting[0]


def without_quotes(word: str) -> str:
    """A setting of the command line, without the single quotes around it that cmd.exe leaves, as in 'a=b'."""
    return word[1:-1] if re.fullmatch(r"'([+~]*[\w./@-]+=[^']*|~[^']+)'", word) else word


def refuse_pasted(words: Iterable[str]) -> None:
    """Raises UserError for characters that nobody types: those of a script with Windows line ends, and long dashes,
    no-break spaces and comments copied from a document."""
    for word in words:
        if word.endswith("\r"):
            raise UserError(f"{word[:-1]} ends in a carriage return: save the script with the line ends of Linux.")
        if word == "#":
            raise UserError("this shell takes # for no comment: leave it and what stands behind it out.")
        if word.startswith(LONG_DASHES):
            raise UserError(f"{word} begins with a long dash, as documents have it: type -{word[1:]}")
        if two := re.search(r"[\xa0\u202f](?=[+~]?[\w./]+=)", word):
            after = word[two.end() :]
            raise UserError(f"a space that separates no words is before {after}, as documents have it: type it anew.")


def refuse_dashes(words: Iterable[str], options: Container[str]) -> None:
    """Raises UserError for an option that is typed with dashes, as for other programs: --run=folder."""
    for word in words:
        key = word.partition("=")[0]
        if key.startswith("-") and key.lstrip("-").replace("-", "_") in options:
            raise UserError(f"there is no flag {word}; an option is typed {without_dashes(word)}")


def flags_and_settings(words: list[str]) -> tuple[list[str], list[str]]:
    """(A command line's flags, each with its value as --flag=value; its settings).

    Flags may stand anywhere: Hydra itself would not read settings after a flag that follows other settings.
    Raises UserError for an unknown flag, and for one without its value.
    """
    flags, settings, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            settings.append(word)
            continue
        flag = flag_of(word)
        if flag not in TAKE_VALUES:
            flags.append(flag)
            continue
        _, equals, value = word.partition("=")
        if not equals and flag == "--info" and rest[:1] not in ([one] for one in SHOWS[flag]):  # it may be left out
            value = "all"
        elif not equals:
            value = rest.pop(0) if rest else ""
        if flag == "--config-path":
            raise UserError(f"{word} would leave out the settings of this program: --config-dir={value} adds a folder.")
        if not value:
            raise UserError(f"{flag} takes a value: {flag}=…")
        if flag in SHOWS:
            choose(flag, value, dict.fromkeys(SHOWS[flag]))
        flags.append(f"{flag}={local_path(value, f'{flag}=') if flag == '--config-dir' else value}")
    refuse_combinations(flags, settings)
    return flags, settings


def flag_of(word: str) -> str:
    """The flag in a word such as --cfg=job, -c or --res, in its long form. Raises UserError if there is none."""
    name, equals, _ = word.partition("=")
    fitting = [flag for flag in FLAGS if flag == SHORT.get(name, name)]
    fitting = fitting or [flag for flag in FLAGS if name.startswith("--") and flag.startswith(name)]
    if len(fitting) == 1 and (fitting[0] in TAKE_VALUES or not equals):
        return fitting[0]
    if not fitting and not get_close_matches(name, FLAGS, cutoff=0.8):
        raise UserError(f"there is no flag {word}; a setting is typed {without_dashes(word, setting_of(word))}")
    raise UserError(f"there is no flag {word}; a setting is typed as key=value." + nearest(name, FLAGS))


def refuse_combinations(flags: list[str], settings: list[str]) -> None:
    """Raises UserError for two flags of which Hydra takes only one, and for a flag that does nothing on its own."""
    if len(ways := [flag for flag in flags if flag.partition("=")[0] in WAYS]) > 1:
        one = ", and a configuration is of one run, with one value of each setting" if "--multirun" in ways else ""
        raise UserError(f"{ways[0]} and {ways[1]} are two ways to call this program{one}: leave one of them out.")
    names = {flag.partition("=")[0] for flag in flags}
    if "--cfg" not in names and (unused := names & {"--resolve", "--package"}):
        raise UserError(f"{unused.pop()} changes what --cfg=job shows: add that, or leave it out.")
    shells = ("install=", "uninstall=", "query=")  # the last is what a shell asks
    if "--shell-completion" in flags and not any(word.startswith(shells) for word in settings):
        raise UserError("--shell-completion takes install=bash or uninstall=bash (or fish, or zsh).")
