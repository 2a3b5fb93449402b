"""Detects passwords in URLs of databases and servers, where they are not allowed."""

import re

from bearing_search.errors import ConfigError


def without_password(url: str) -> str:
    """The URL with any password masked, so that it can be displayed.

    SQLAlchemy's `make_url` is not used: it leaves part of a password that contains an @, supports
    neither `?password=` nor schemes with a dash, and takes the port of `http://host:5000/a@b` for a
    password.
    """
    url = re.sub(r"(://[^/@:]*):(?!\d*(?:[,/?#]|$)).*@", r"\1:...@", url)
    return re.sub(r"([?&]password)=[^&]*", r"\1=...", url)


def refuse_password(*urls: str) -> None:
    """Refuse a URL that contains a password, which would be stored in sweep.json.

    Raises:
        ConfigError: a URL contains a password; says where it belongs.
    """
    for url in urls:
        if without_password(url) != url:
            raise ConfigError(
                f"{without_password(url)}: sweep.json would store the password. Leave it out; "
                "PostgreSQL reads it from PGPASSWORD or ~/.pgpass, MLflow from "
                "MLFLOW_TRACKING_PASSWORD"
            )
