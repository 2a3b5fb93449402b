"""Makes text from elsewhere safe for a terminal: names may hold control characters."""


def printable(text: str, *, keep: str = "\n\t") -> str:
    """The text with control characters, and others that do not show, as escapes such as `\\x1b`.

    Args:
        text: what is to be shown.
        keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
