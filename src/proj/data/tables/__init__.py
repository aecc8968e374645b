"""Users' own tables: reads their files, infers what each column holds, and encodes the cells as network inputs.

table_files.py     finds the files of a table: one, several, or one for each part
table_file.py      reads one file: CSV, Parquet or a spreadsheet
reading.py         how a file is to be read: its sheet and its encoding
spreadsheet.py     reads a sheet of a workbook, and looks into its XML for doubtful or far cells
parquet_file.py    reads a Parquet file
compressed.py      unpacks a compressed file, and refuses formats that are not supported
csv_file.py        reads a CSV file, after it has found the separator and the quotation mark
text_encoding.py   detects the encoding of a CSV file
text_table.py      the rows of a file as text, stored by column
one_column.py      the cells of one column
plain_numbers.py   parses numbers as Python writes them, for many cells at once
header.py          detects whether the first row names the columns
named_column.py    looks up a column by a setting, and a model's columns by their names
chosen_columns.py  decides which columns become inputs, and which settings apply to them
finding.py         what was inferred about a column, and why it is left out
columns.py         infers what each column holds, and measures it on the training part
input_column.py    a column as a network takes it: the base class of the five kinds
column_kinds.py    makes a column of any kind from its description in a checkpoint
number_column.py   columns of numbers
number_remarks.py  remarks on columns only some of whose cells are numbers
answers.py         columns of two answers, such as no and yes
word_column.py     columns of words, with one input for each
texts.py           columns of free text, with one input for each frequent word
date_column.py     columns of dates, which are split into year, month, weekday and so on; remarks on doubtful dates
column_list.py     tells the user how each column is used
cells.py           parses a cell: a number, a word, or a missing value
decimal_marks.py   decides whether a column has decimal points or commas
dates.py           detects columns of dates, and the form in which they are written
date_forms.py      the formats of dates and times, and a parser for each
date_parts.py      splits a date into year, month, weekday and so on
timestamps.py      numbers that are times: since 1970, or Excel's days
row_numbers.py     detects columns that number the rows, such as ids
joined_notes.py    joins the remarks that say the same of many columns
encode.py          turns the rows of a table into inputs of a network
new_table.py       compares a new table with the columns of the training, and warns of differences
"""
