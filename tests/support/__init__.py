"""What several test files use. No test file imports another one: `tests/test_house.py` checks that."""
