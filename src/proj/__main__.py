"""`python -m proj` names the commands."""

from difflib import get_close_matches

from proj.config.command_line import words_or_help
from proj.system.shell import as_command

COMMANDS = ("train", "evaluate", "predict", "export", "report", "sweep")


def main() -> None:
    sentence = f"choose a command: python -m proj.{', python -m proj.'.join(COMMANDS)}; each has --help."
    first, *others = words_or_help(sentence, needed=False) or [""]
    if meant := get_close_matches(first.removeprefix("proj."), COMMANDS, n=1):
        command = as_command(["python", "-m", f"proj.{meant[0]}", *others])
        sentence = f"a point joins proj and its command: type {command}"
    raise SystemExit(f"error: {sentence}")


if __name__ == "__main__":
    main()
