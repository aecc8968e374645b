"""What the folders of runs say, compared."""
