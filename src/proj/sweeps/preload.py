"""Imported once by the server from which job processes are forked: all of training, but none of the user's modules."""

import proj.training.run  # noqa: F401
from proj.system.forked import block_stops

block_stops()
