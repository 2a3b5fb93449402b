"""Recognises passwords, tokens, keys and signatures in URLs, and masks them.

Recognition is generous: a URL counts as having a password if SQLAlchemy or urllib reads one from
it, or if any reader could. What it shows may lack more than the password, never less.
"""

import logging
import re
import sys
import traceback
from types import TracebackType
from urllib.parse import unquote

from bearing_search.text.printable import printable

MASK = "..."

_NAMES_A_USER = re.compile(
    r"(postgres|postgresql|mysql|mariadb|oracle|mssql|cockroachdb|abfss?|wasbs?|az|adl"
    r"|gs|gcs|hdfs|s?ftp|ssh|smb)(\+\w+)?",
    re.IGNORECASE,
)
"""Schemes whose text before the @ is a user or a container if it has no colon. Elsewhere it may be
a token."""

_WEB = ("http", "https", "file")

_LINK = re.compile(r"(\w+::)*[a-z][\w+.\-]*://", re.IGNORECASE)
_CHAIN = re.compile(r"::(?=[a-z][\w+.\-]*://)", re.IGNORECASE)  # as in zip://x.zip::s3://y
_URL_IN_TEXT = re.compile(r"(\w+::)*[a-z][\w+.\-]*://\S*[^\s:,.;)'\"]", re.IGNORECASE)
_ASSIGNMENT = re.compile(
    r"\b(password|passwd|passphrase|pwd|access_token|api_key|secret_access_key)(\s*=\s*)"
    r"('[^']*'|\"[^\"]*\"|[^\s&,;]+)",
    re.IGNORECASE,
)
_PARAM = re.compile(r"([^=&;?#]+)=([^&]+)")
_SECRET_ENDS = (
    *("password", "passwd", "passphrase", "pass", "pwd", "pw", "secret", "token", "jwt", "bearer"),
    *("key", "keyid", "credential", "credentials", "signature", "sig", "sas", "authorization"),
)
_NO_SECRETS = {"sslkey", "orderbykey"}  # a path, a metric


def without_password(url: str) -> str:
    """A URL (or what was meant as one) without passwords, for display; else the same text."""
    if not _LINK.match(url.strip()):
        before, colon, after = url.partition(":")
        if colon and "@" in after and not before.startswith(("/", ".")):
            url = f"{MASK}@{after.rpartition('@')[2]}"  # a URL without its scheme
        return _without_params(url)
    first, *others = _CHAIN.split(url)
    if others and ":" in _host(first):  # no chain: a password with colons
        first, others = url, []
    return _without_params("::".join(_without_user(link) for link in (first, *others)))


def has_password(url: str) -> bool:
    """Whether a URL holds a password, or what may be one."""
    return without_password(url) != url


def masked(text: str) -> str:
    """Any text with the passwords of the URLs in it masked, and those in `password=...`."""
    text = _URL_IN_TEXT.sub(lambda url: without_password(url[0]), text)
    return _ASSIGNMENT.sub(rf"\1\2{MASK}", text)


class MaskingFormatter(logging.Formatter):
    """Formats log records, tracebacks included, without passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return printable(masked(super().format(record)))


def print_masked_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print the traceback of a bug without passwords; for `sys.excepthook`."""
    print(masked("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _without_user(link: str) -> str:
    """One link of a URL (`a://x::b://y` has two) without the password before its last @."""
    scheme, _, rest = link.partition("://")
    host = _host(link)
    # readers disagree where a password with : / ? # or @ ends; SQLAlchemy's users may have ? and #
    before = host if scheme.lower() in _WEB else rest.partition("/")[0]
    if ":" in before and "@" in rest[before.index(":") :]:
        end = rest.rindex("@")
    elif "@" in host:
        end = host.rindex("@")
    else:
        return link
    user, tail = rest[:end], rest[end + 1 :]
    name, colon, _ = unquote(user).partition(":")
    if not _NAMES_A_USER.fullmatch(scheme):
        return f"{scheme}://{MASK}@{tail}"
    if not colon:
        return link
    shown = name if re.fullmatch(r"[\w.+\-]*", name) else ""
    return f"{scheme}://{shown}:{MASK}@{tail}"


def _host(link: str) -> str:
    """What urllib takes for user and host."""
    return re.split(r"[/?#]", link.partition("://")[2], maxsplit=1)[0]


def _without_params(url: str) -> str:
    """A URL without the values of secret parameters."""
    start = re.search(r"[?#]", url)
    if start is None:
        return url
    params = _PARAM.sub(_without_value, url[start.end() :])
    return url[: start.end()] + params


def _without_value(param: re.Match[str]) -> str:
    name, value = param[1], unquote(param[2])
    is_secret = _is_secret_name(name) or any(
        _is_secret_name(inner) for inner in re.findall(r"([^=&;?#\s]+)=", value)
    )
    if is_secret or ("://" in value and has_password(value)):
        return f"{name}={MASK}"
    return param[0]


def _is_secret_name(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", unquote(name).lower())
    return plain not in _NO_SECRETS and plain.endswith(_SECRET_ENDS)
