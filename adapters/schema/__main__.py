"""``python -m adapters.schema`` writes ``docs/schema`` anew."""

from adapters.schema.files import write

if __name__ == "__main__":
    write()
