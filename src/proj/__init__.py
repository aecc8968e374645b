"""Train image and tabular classifiers: dataset × model × optimizer from one command."""
