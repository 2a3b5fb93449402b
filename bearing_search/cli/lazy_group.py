"""A command group that imports only the command that is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Location of a command, and its line in the list of commands."""

    target: str
    """`module:name` of a command's function, or of the `typer.Typer` of a group."""

    help: str
    """First line of its help; a test compares it with the function's docstring."""

    def load(self) -> Any:
        """The command, imported."""
        module, _, name = self.target.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(found)
        return typer.main.get_command(app)


def lazy_group(commands: Mapping[str, LazyCommand]) -> type[TyperGroup]:
    """A class of groups, for `typer.Typer(cls=...)`, with these commands in this order."""

    class LazyGroup(TyperGroup):
        """Imports a command when it is called, and none to list them."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Names of the commands, in the table's order."""
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """The command of that name, imported; None: there is none."""
            if cmd_name not in self.commands and cmd_name in commands:
                command = commands[cmd_name].load()
                command.name = cmd_name
                self.commands[cmd_name] = command
            return self.commands.get(cmd_name)

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            """Write the list of commands, from the table alone."""
            with formatter.section("Commands"):
                formatter.write_dl([(name, one.help) for name, one in commands.items()])

    return LazyGroup
