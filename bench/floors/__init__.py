"""One file a floor, of at most 40 lines, importing nothing of ours."""
