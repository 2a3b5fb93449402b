"""Search spaces by name: the shipped ones, and those of the working directory."""

from pathlib import Path

from bearing_search.errors import ConfigError


def find_space(name: str) -> Path:
    """A search space by path, or by the bare name of a shipped one.

    Raises:
        ConfigError: neither; the shipped ones are named.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {
        file.stem: file
        for folder in (_shipped_spaces(), Path.cwd() / "search_spaces")
        for file in sorted(folder.glob("*.yaml"))
    }
    if name in shipped:
        return shipped[name]
    raise ConfigError(
        f"{name}: no such search space; wanted a file, or one of {', '.join(shipped) or 'none'}"
    )


def _shipped_spaces() -> Path:
    """Folder of the shipped spaces: inside an installed package (`setup.py`), beside a checkout's.

    A path, not a resource: messages about a space name its file.
    """
    package = Path(__file__).parents[1]
    installed = package / "shipped_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"
