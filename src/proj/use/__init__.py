"""Uses a trained model from its checkpoint: evaluates it, predicts with it, and exports it.

evaluation.py        `evaluate`: measures a model on data whose classes are known
answers.py           the model's answers to that data, and the figures computed from them
evaluation_table.py  prints an evaluation
data.py              opens the data of an evaluation or export, and notes whether the training saw it
importance.py        permutation importance of a table's columns
heat_map.py          shows where in an image the network looked
prediction.py        `predict`: classifies new pictures and rows
ensemble.py          the models of several checkpoints, whose probabilities are averaged
inputs.py            reads the pictures and rows for predict
predicted.py         stores, prints and writes the predictions
places.py            where evaluate and predict may write, and the names of an evaluation's files
export.py            `export`: writes the network as an ONNX or .pt2 file
raw_pixels.py        scales pictures of any size inside an exported file
raw_columns.py       encodes a table's own columns inside an exported file
quantization.py      converts an ONNX network to 8-bit integers
"""
