"""`python -m proj` names the commands."""

from proj.config.command_line import words_or_help

COMMANDS = ("train", "evaluate", "predict", "export", "report", "sweep")

if __name__ == "__main__":
    sentence = f"choose a command: python -m proj.{', python -m proj.'.join(COMMANDS)}; each has --help."
    words_or_help(sentence, needed=False)
    raise SystemExit(f"error: {sentence}")
