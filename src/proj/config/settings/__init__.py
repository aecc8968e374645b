"""What is known of each setting, for the checks, for a run that goes on, and for reports.

table.py        all settings: range, on resume, in reports; looks one up
lightning.py    its part on Lightning's Trainer and ModelCheckpoint
setting.py      a line of that table
ranges.py       what a value may be, in words and as a JSON schema
json_schema.py  whether a value fits such a schema
"""
