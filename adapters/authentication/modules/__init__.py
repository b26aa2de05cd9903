"""The kinds of authentication module, a file or a folder each."""
