"""What the server imports from which the processes of jobs are forked: all of training, and nothing of the user's."""

import proj.training.run  # noqa: F401
from proj.system.forked import ignore_stops

ignore_stops()
