"""Everything that is drawn.

drawing.py      tiles, confusion matrix, bars
fonts.py        a font for every letter
graph.py        the graph of a network, for TensorBoard
plots.py        the reliability diagram
tensorboard.py  TensorBoard's curves and dashboard
"""
