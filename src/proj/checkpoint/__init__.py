"""Checkpoints: written whole or not at all, and read without running anything that they hold."""

from proj.checkpoint.file import load_checkpoint, load_model

__all__ = ["load_checkpoint", "load_model"]
