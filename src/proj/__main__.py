"""`python -m proj` names the commands."""

from proj.config.explain import sentences
from proj.errors import UserError

COMMANDS = ("train", "evaluate", "predict", "export", "report", "sweep")

if __name__ == "__main__":
    with sentences():
        raise UserError(f"name a command after a point: python -m proj.{', proj.'.join(COMMANDS)}; each has --help.")
