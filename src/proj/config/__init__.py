"""The configuration: composed from conf/, checked, and turned into objects.

The table of all settings is in settings/, a room of its own.

words.py               a command line's words, as typed and as Hydra takes them; says how they flow through here
flags.py               Hydra's flags, such as --multirun
command_line.py        runs a command: of Hydra's, or with options as key=value
compose.py             composes conf/ (`configure`), and makes objects (`build`)
loader.py              Hydra's loader, which merges the files once for many jobs
new_folder.py          names and makes the folder of a new run or sweep
check.py               all checks of a new run, in their order
check_types.py         a text in place of a number, told by the default value or by the class's source
check_values.py        values out of their range, and values that do not go together
check_words.py         words that would change nothing
monitors.py            the metrics that tell the best checkpoint, and their checks
schema.py              the JSON schema of conf/ for editors
declared.py            reads what a class says of itself without importing it
own_code.py            the user's own Python files that a configuration takes
stored.py              what a configuration from a file may name
stored_run.py          the configuration that a run goes on with
explain.py             the errors of Hydra, OmegaConf and Lightning in one sentence each
"""

from proj.config.compose import CONF, build, configure
from proj.config.stored_run import stored_config

__all__ = ["CONF", "build", "configure", "stored_config"]
