"""Addresses of databases and servers, and the passwords that must not be in them."""

import re

from bearing_search.errors import ConfigError


def without_password(url: str) -> str:
    """A URL that may be shown.

    Not by SQLAlchemy's `make_url`, which leaves a part of a password that holds an @, knows no
    `?password=` and no scheme with a dash, and takes the port of `http://host:5000/a@b` for one.
    """
    url = re.sub(r"(://[^/@:]*):(?!\d*(?:[,/?#]|$)).*@", r"\1:...@", url)
    return re.sub(r"([?&]password)=[^&]*", r"\1=...", url)


def refuse_password(*urls: str) -> None:
    """Refuse a URL that holds a password: it would be kept in sweep.json.

    Raises:
        ConfigError: says where the password belongs.
    """
    for url in urls:
        if without_password(url) != url:
            raise ConfigError(
                f"{without_password(url)}: a password would be kept in sweep.json. Leave it out; "
                "PostgreSQL takes it from PGPASSWORD or ~/.pgpass, MLflow from "
                "MLFLOW_TRACKING_PASSWORD"
            )
