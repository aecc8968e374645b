"""Tables as people have them: files read, and columns understood."""
