"""The configuration: composed from conf/, checked, and turned into objects.

The table of all settings is in settings/, a room of its own.

words.py               a command line's words, as typed and as Hydra takes them; describes the way that they take
quoting.py             settings whose values are texts, in the quotation marks that Hydra and the shells need
flags.py               Hydra's flags, such as --multirun
command_line.py        runs a command, one that Hydra composes or one with options as key=value
compose.py             composes conf/ (`configure`)
instantiate.py         makes the objects that a configuration names (`build`)
loader.py              Hydra's loader, which merges the files once for many jobs
new_folder.py          names and makes the folder of a new run or sweep
check.py               all checks of a new run, in their order
check_types.py         refuses what is of the wrong type or out of its range, and what a class does not take
check_values.py        refuses the values of a configuration that are out of range or contradict each other
check_words.py         refuses words that would change nothing
monitors.py            the metrics by which the best checkpoint is chosen, and their checks
schema.py              the JSON schema of conf/ for editors
declared.py            reads a class's attributes and arguments from its source, without importing it
own_code.py            the user's own Python files that a configuration uses
allowed_classes.py     checks that a configuration from a file names no class but those allowed in its place
stored_values.py       checks that a configuration from a file consists of plain values
stored_run.py          the configuration with which a run goes on
explain.py             turns errors of Hydra, OmegaConf and Lightning into one sentence each
unknown_option.py      suggests what was meant by an option that does not exist
unknown_setting.py     suggests what was meant by a setting that does not exist
"""

from proj.config.compose import CONF, configure
from proj.config.instantiate import build
from proj.config.stored_run import stored_config

__all__ = ["CONF", "build", "configure", "stored_config"]
