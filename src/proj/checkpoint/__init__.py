"""Reads and writes checkpoints: a file is complete or absent, and reading one runs no code that it may contain.

file.py     reads a checkpoint (`load_checkpoint`), and builds the model in it (`load_model`)
writing.py  writes a checkpoint, after a check that it can be read back
"""

from proj.checkpoint.file import load_checkpoint, load_model

__all__ = ["load_checkpoint", "load_model"]
