"""``python -m tests.rest_sts`` writes `docs/rest-sts.md` anew."""

from tests.rest_sts.page import write

if __name__ == "__main__":
    write()
