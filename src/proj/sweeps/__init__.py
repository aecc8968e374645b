"""Many runs: the grid, the search, and what a sweep keeps."""
