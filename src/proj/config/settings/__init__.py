"""The table of settings: what the checks, a run that goes on, and the reports need to know of each setting.

table.py      the table, and the functions that look a setting up
lightning.py  the part of the table for Lightning's Trainer and ModelCheckpoint
setting.py    the class of a line of the table, and that of a range, which tests whether a value is in it
ranges.py     the ranges of values, in words and as JSON schemas
"""
