"""A model from its checkpoint: measured, applied, exported.

evaluation.py        `evaluate`
answers.py           its figures
evaluation_table.py  what it prints
evaluation_name.py   what its files are called
among_photos.py      where neither of the two draws
data.py              the data that it measures on
importance.py        which columns of a table matter
heat_map.py          where the network looked
prediction.py        `predict`
inputs.py            the pictures and rows that it reads
predicted.py         the answers that it prints and writes
export.py            `export`
raw_pixels.py        pictures of any size, as tensor operations
raw_columns.py       a table's own columns, as inputs of an ONNX file
quantization.py      8-bit integers
"""
