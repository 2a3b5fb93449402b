"""Refuses URLs of databases and servers that hold a password."""

from bearing_search.errors import ConfigError
from bearing_search.text.passwords import has_password, without_password


def refuse_password(**urls: str) -> None:
    """Refuse a URL that contains a password, which would be stored in sweep.json.

    Args:
        urls: by the name of their option, with underscores; empty: not given.

    Raises:
        ConfigError: a URL contains a password; says where it belongs.
    """
    for name, url in urls.items():
        if has_password(url):
            raise ConfigError(
                f"--{name.replace('_', '-')} {without_password(url)}: sweep.json would store the "
                "password or key. Leave it out: PostgreSQL reads PGPASSWORD or ~/.pgpass, MLflow "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, an object store its own "
                "variables, such as AWS_SECRET_ACCESS_KEY"
            )
