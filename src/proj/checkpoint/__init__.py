"""Checkpoints: written whole or not at all, and read without running anything that they hold.

file.py     reads a checkpoint (`load_checkpoint`), and the model in it (`load_model`)
writing.py  writes one
"""

from proj.checkpoint.file import load_checkpoint, load_model

__all__ = ["load_checkpoint", "load_model"]
