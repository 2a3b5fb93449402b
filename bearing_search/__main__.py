"""Entry point of `python -m bearing_search`."""

from bearing_search.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
