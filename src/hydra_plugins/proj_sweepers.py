"""Where Hydra looks for sweepers: it takes plugins from this package alone, and imports it at every start."""

from proj.sweeps import sweepers


class GridSweeper(sweepers.GridSweeper):
    __doc__ = sweepers.GridSweeper.__doc__


class OptunaSweeper(sweepers.OptunaSweeper):
    __doc__ = sweepers.OptunaSweeper.__doc__
