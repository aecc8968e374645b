"""Tables as people have them: files read, columns understood, cells made inputs.

table_files.py     the files of a table: one, several, or one for each part
table_file.py      one file of any format, read as its user says
compressed.py      unpacks a file, and refuses formats that are not read
csv_file.py        a CSV file, and what separates its values
text_encoding.py   the encoding of a CSV file
text_table.py      the rows of a file as text, a column at a time
one_column.py      the cells of one column
plain_numbers.py   numbers as Python writes them, of many cells at once
header.py          whether the first row names the columns
named_column.py    the column that a setting names, and those that a model takes
chosen_columns.py  the columns that are learnt from
columns.py         finds out what each column holds, and measures it in the training part
column_list.py     tells the user what each column is taken for
cells.py           the number, word or gap in a cell
decimal_marks.py   whether a column has decimal points or commas
dates.py           whether a column holds dates, and the moments in it
date_forms.py      the forms in which a date is written
date_parts.py      year, month, weekday and so on of a moment
row_numbers.py     columns that number the rows, such as ids
encode.py          the inputs that a network gets of each column
new_table.py       those of a table that is not the training's, and what can be doubted in it
"""
