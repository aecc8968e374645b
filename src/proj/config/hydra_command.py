"""A command whose settings Hydra composes."""

import os
import sys
import warnings
from collections.abc import Callable

from proj.config.explain import FULL_ERROR, sentences
from proj.config.words import as_hydra_reads, flags_and_settings, refuse_left_out

SCHEMA = "\n'hydra/launcher/.* is validated"  # how Hydra begins to warn of what is meant


def run_hydra(command: Callable[[], object]) -> None:
    """Run a function of `hydra.main`'s with the command line's settings; errors as `sentences` says."""
    with sentences():
        flags, settings = flags_and_settings(sys.argv[1:])
        refuse_left_out(settings)
        several = "--multirun" in flags
        sys.argv[1:] = [*flags, *(as_hydra_reads(word, several) for word in settings)]
    if "" not in sys.path:
        sys.path.insert(0, "")  # a class of one's own lies in the working folder; `python -m` has it there already
    os.environ["PROJ_FULL_ERROR"] = str(int(FULL_ERROR))  # for the processes that this one starts
    warnings.filterwarnings("ignore", SCHEMA)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them
    with sentences():
        command()
