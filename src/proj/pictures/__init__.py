"""Everything that is drawn.

confusion.py    the confusion matrix
drawing.py      tiles, bars
fonts.py        a font for every letter
graph.py        the graph of a network, for TensorBoard
plots.py        the reliability diagram
tensorboard.py  TensorBoard's curves and dashboard
"""
