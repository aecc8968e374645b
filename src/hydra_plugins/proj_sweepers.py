"""Where Hydra looks for sweepers: it takes plugins from this package alone, and imports it at every start."""

from proj.sweeps import grid, optuna_sweeper


class GridSweeper(grid.GridSweeper):
    __doc__ = grid.GridSweeper.__doc__


class OptunaSweeper(optuna_sweeper.OptunaSweeper):
    __doc__ = optuna_sweeper.OptunaSweeper.__doc__
