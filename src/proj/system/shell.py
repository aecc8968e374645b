"""What people type into a shell, paths among it: bash and zsh, or on Windows cmd.exe and PowerShell."""

import os
import re
import shlex
import subprocess

from proj.errors import UserError
from proj.system.platform import WINDOWS


def as_command(words: list[str]) -> str:
    """The words as the user types them into this system's shells, in quotation marks where one needs them."""
    return " ".join(map(as_typed_on_windows if WINDOWS else as_typed, words))


def as_typed(word: str) -> str:
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def as_typed_on_windows(word: str) -> str:
    typed = subprocess.list2cmdline([word])  # knows how programs divide a line, but not what the shells make of it
    if re.fullmatch(r'[\w.,=:\\/+\[\]~-]+|".*"', typed):
        return typed
    return f'"{typed}{word[len(word.rstrip(chr(92))) :]}"'  # backslashes before a quotation mark are doubled


def local_path(path: str | os.PathLike[str], option: str = "") -> str:
    """The path that the user typed, with ~ replaced by the home folder: a shell does not do that after `ckpt=`.

    option: what was typed before the path, such as `ckpt=`, for the message.
    Raises UserError for what cannot be a path on this machine: a URL, a Windows path on another system, and a path
    with quotation marks around it that no shell has removed.
    """
    if not isinstance(path, str | os.PathLike) or isinstance(text := os.fspath(path), bytes):
        raise UserError(f"{option}{path!r} is no path: give a text or a pathlib.Path.")
    found = os.path.expanduser(text)
    if os.path.lexists(found):
        return found
    if address := re.fullmatch(r"(\w[\w+.-]*)://(.*)", text):
        how = f"type {option}{address[2]}" if address[1] == "file" else "download it, and name the copy"
        raise UserError(f"{option}{text} is an address, but a path on this machine is needed: {how}.")
    if marked := re.fullmatch(r"(['\"])(.+)\1", text):
        command = as_command([option + marked[2]])
        raise UserError(f"{option}{text} has quotation marks that no shell has removed: type {command}")
    slashed = re.sub(r"\\(?=[\w.*?]|\Z)", "/", text)  # but not \= or \, by which Hydra means = or ,
    is_there = slashed != text and os.path.isdir(os.path.dirname(os.path.expanduser(slashed)))
    if not WINDOWS and (is_there or re.match(r"([A-Za-z]:|\.\.?)\\", text)):
        how = f": type {as_command([option + slashed])}" if is_there else ", as in data/photos."
        raise UserError(f"{option}{text} is a Windows path: here, / separates folders{how}")
    return found
