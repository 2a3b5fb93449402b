"""A POST request -> a sample on disk: every limit is checked before a picture is decoded."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.types import Message, Receive

from bearing_search.data.files.listing import is_read, read_suffixes, suffix_of
from bearing_search.data.samples import name_and_level
from bearing_search.prediction.pairing import InputSample, flawed
from bearing_search.prediction.pixel_limit import UNKNOWN_PX, page_sizes
from bearing_search.runtime.verdict import SampleLevels
from bearing_search.service.guard import COMPLETE
from bearing_search.service.refusals import Refusal

MOST_FILES, MOST_FIELDS, MOST_NAME = 32, 8, 200
"""Files and fields of one request, and characters of a name."""

_DRAIN_S = 5.0
_HOW = "curl -F files=@x_b0.png -F files=@x_b1.png -F part=NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost."""

    body_bytes: int = 64 * 1024 * 1024
    pixels: int = 100_000_000
    """Of one picture, as its header states."""

    upload_s: float = 30.0
    """Seconds in which the body has to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A sample that was sent, in a folder of its own."""

    sample: InputSample
    shown: tuple[str, ...]
    """Names of its files, as the sender has them."""

    folder: Path

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


async def receive(request: Request, parts: Sequence[str], limits: Limits) -> Upload:
    """The sample of a request.

    Args:
        request: multipart/form-data with the levels as `files`; `part` and `sample` as fields, or
            in the address.
        parts: that the detector knows.
        limits: of the request.

    Raises:
        Refusal: it is too large, too slow, or no sample.
    """
    form = await _form(request, limits)
    try:
        part = _part(_text(request, form, "part"), parts)
        sent = [one for key, one in form.multi_items() if isinstance(one, UploadFile)]
        name = _text(request, form, "sample")
        levels, title = _levels(sent)
        folder = Path(tempfile.mkdtemp(prefix="bearing_search-"))
        upload = Upload(
            sample=_sample(part, name or title, levels, folder),
            shown=tuple(plain_name(one) for _, one in levels),
            folder=folder,
        )
        try:
            await asyncio.to_thread(_store, levels, folder, limits)
        except BaseException:
            upload.remove()
            raise
        return upload
    finally:
        await form.close()


def require_length(request: Request, limits: Limits) -> None:
    """Refuse a body by the length that it declares.

    Raises:
        Refusal: it is above the limit.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > limits.body_bytes):
        raise _too_large(limits)


async def drain(request: Request, limits: Limits) -> None:
    """Read what is still to come, so that the sender reads the answer instead of a broken pipe."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            total = 0
            while not request.scope.get(COMPLETE) and total <= limits.body_bytes:
                total += len((await request.receive()).get("body", b""))
    except TimeoutError:
        return


async def _form(request: Request, limits: Limits) -> FormData:
    require_length(request, limits)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise _invalid(f"the body is {kind or 'of no type'}; wanted multipart/form-data: {_HOW}")
    counted = Request(request.scope, _counted(request, limits))
    try:
        async with asyncio.timeout(limits.upload_s):
            return await counted.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    except Refusal:
        raise
    except TimeoutError:
        line = f"the body did not arrive within {limits.upload_s:g} s"
        raise Refusal(status=408, line=line, why="slow") from None
    except Exception as error:  # of the parser: a damaged body, too many files
        reason = " ".join(str(getattr(error, "detail", "") or type(error).__name__).split())
        raise _invalid(f"the body is no form that can be read ({reason}); wanted {_HOW}") from None


def _counted(request: Request, limits: Limits) -> Receive:
    """The request's `receive`, which raises once the body is above the limit."""
    total = 0

    async def receive_some() -> Message:
        nonlocal total
        message = await request.receive()
        total += len(message.get("body", b""))
        if total > limits.body_bytes:
            raise _too_large(limits)
        return message

    return receive_some


def _text(request: Request, form: FormData, key: str) -> str:
    given = request.query_params.get(key) or form.get(key) or ""
    if not isinstance(given, str):
        raise _invalid(f"{key} is a file; wanted text")
    if len(given) > MOST_NAME:
        raise _invalid(f"{key} has {len(given)} characters; wanted at most {MOST_NAME}")
    return given


def _part(asked: str, parts: Sequence[str]) -> str:
    if not asked and len(parts) == 1:
        return parts[0]
    if asked not in parts:
        found = f"part {asked!r} is not known" if asked else "no part is named"
        raise _invalid(f"{found}; this detector knows {', '.join(parts)}: add part=NAME")
    return asked


def plain_name(sent: UploadFile) -> str:
    """The name of a file that was sent, without folders."""
    return re.split(r"[/\\]", sent.filename or "")[-1][:MOST_NAME]


def _levels(sent: Sequence[UploadFile]) -> tuple[list[tuple[int, UploadFile]], str]:
    """The files with their brightness, in order, and the name of the sample."""
    if not sent:
        raise _invalid(f"no file was sent; wanted the brightness levels of one sample: {_HOW}")
    found: dict[int, UploadFile] = {}
    names: set[str] = set()
    for one in sent:
        shown = plain_name(one)
        if not is_read(shown):
            raise _invalid(f"file {shown!r}: images end in {read_suffixes()}")
        name, level = name_and_level(Path(shown))
        names.add(name)
        if level in found:
            raise _invalid(
                f"files {plain_name(found[level])!r} and {shown!r} are both brightness {level}; "
                "send one sample, with its levels named x_b0, x_b1, ..."
            )
        found[level] = one
    if len(names) > 1:
        raise _invalid(f"files of {len(names)} samples were sent; send those of one")
    return sorted(found.items(), key=lambda item: item[0]), names.pop()


def _sample(
    part: str, title: str, levels: Sequence[tuple[int, UploadFile]], folder: Path
) -> InputSample:
    missing = sorted(set(range(levels[-1][0] + 1)) - {level for level, _ in levels})
    if missing:
        reason = f"{title}_b{missing[0]}: was not sent; send all levels of the sample"
        return flawed(part, title, "wrong levels", reason)
    files = tuple(_place(folder, level, one) for level, one in levels)
    return InputSample(sample=SampleLevels(part=part, levels=files, name=title))


def _place(folder: Path, level: int, sent: UploadFile) -> Path:
    """Where a file lies: nothing of its name but a known suffix is used."""
    return folder / f"{level}{suffix_of(plain_name(sent))}"


def _store(levels: Sequence[tuple[int, UploadFile]], folder: Path, limits: Limits) -> None:
    for level, sent in levels:
        file, shown = _place(folder, level, sent), plain_name(sent)
        with file.open("wb") as stream:
            shutil.copyfileobj(sent.file, stream)
        sizes = page_sizes(file)
        if not sizes:
            raise _invalid(f"file {shown!r}: is no image whose size can be read from its header")
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        if width * height > limits.pixels:
            large = "more" if width == UNKNOWN_PX else f"{width}x{height}"
            raise Refusal(
                status=413,
                line=f"file {shown!r}: {large} pixels, above the {limits.pixels / 1e6:g} "
                "megapixels that are judged; crop it, or raise --max-megapixels",
                why="too_large",
            )
        if len(sizes) > MOST_FILES:
            raise _invalid(f"file {shown!r}: has more than {MOST_FILES} pages")


def _invalid(line: str) -> Refusal:
    return Refusal(status=422, line=line, why="invalid")


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        status=413,
        line=f"the body is larger than {limits.body_bytes / 1e6:g} MB; send smaller pictures, or "
        "raise --max-mb",
        why="too_large",
    )
