"""Draws all plots and images, for the commands and for TensorBoard.

confusion.py    draws a confusion matrix
drawing.py      draws text, grids of images with captions, and bar charts
fonts.py        finds a font for every character of a text
graph.py        traces the graph of a network, for TensorBoard
plots.py        plots the reliability diagram, and writes pictures into TensorBoard's files
tensorboard.py  the logger of TensorBoard's curves, and the callback that adds pictures, the graph and hyperparameters
"""
