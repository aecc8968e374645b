"""Everything that is drawn.

drawing.py      tiles, confusion matrix, bars
fonts.py        a font for every letter
plots.py        the reliability diagram
tensorboard.py  TensorBoard's curves and dashboard
"""
