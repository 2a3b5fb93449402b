"""Content of detector.json: everything that was fitted or chosen, except for the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from bearing_search.config import TrialConfig, parse, to_plain
from bearing_search.errors import BundleError, ConfigError, DamagedFileError
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.digest import sha256_of_file, sha256_of_json
from bearing_search.filesystem.stored_file import read_json_object
from bearing_search.preprocess.locate import RoiReference
from bearing_search.runtime.reference import NormalReference
from bearing_search.runtime.verdict import Thresholds

SCHEMA, SCHEMA_VERSION = "bearing_search.detector", 1
"""What detector.json calls itself. The version rises whenever an older reader would be wrong."""

DETECTOR_FILE = "detector.json"

Format = Literal["torch", "onnx", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]

PRECISIONS: Mapping[Format, tuple[Precision, ...]] = {
    "torch": ("fp32",),
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16"),
}
"""Format -> precisions in which it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFiles:
    """Files of one network, relative to the folder."""

    weights: str
    graph: str = ""
    """ONNX; empty for the format torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """What belongs to one part."""

    network: str
    """Name of its network."""

    reference: RoiReference
    """r_mean, centre and crop, as fitted to the training samples."""

    bits: int | None
    """Bit depth of its images, as found in training; None: not known."""

    num_levels: int | None
    """Brightness levels of every sample; None: not known."""

    thresholds: Thresholds
    score_tolerance: float
    """How far a score may be from that of torch in fp32."""

    normal: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Quantiles (`QUANTILES`) over normal samples: `score` of those that the model has not seen,
    `brightness` and `size_px` (radius or half major axis) of those and of the training samples."""

    normal_samples: NormalReference | None = None
    """The same samples one by one, for `drift`; None: exported by a version that kept none."""


QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """A sample that travels with the detector, with its score."""

    part: str
    levels: tuple[str, ...]
    """Its brightness levels: PNG files relative to the folder."""

    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """Content of detector.json."""

    format: Format
    precision: Precision
    config: Mapping[str, Any]
    """All settings of the trial; see `trial`."""

    networks: Mapping[str, NetworkFiles]
    parts: Mapping[str, PartFacts]
    self_tests: tuple[SelfTest, ...]
    provenance: Mapping[str, Any]
    """Where it comes from, for people: sweep, trial, data digest, versions, ..."""

    parity: Mapping[str, Any] = field(default_factory=dict)
    """What the comparison with torch in fp32 found."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Path of every other file, relative to the folder -> its SHA-256."""

    @property
    def trial(self) -> TrialConfig:
        """The settings.

        Raises:
            ConfigError: this version of the package does not know them.
        """
        return parse(TrialConfig, self.config)


def write_facts(folder: Path, facts: BundleFacts) -> BundleFacts:
    """Write detector.json over the files that the folder holds now; returns what was written.

    A reader refuses it once it, or any of these files, is altered.
    """
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file.name != DETECTOR_FILE
    )
    facts = replace(facts, files={name: sha256_of_file(folder / name) for name in names})
    content = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **_plain(facts)}
    write_json(folder / DETECTOR_FILE, {**content, "digest": sha256_of_json(content)})
    return facts


def read_facts(folder: Path, *, verifies_files: bool = True) -> BundleFacts:
    """Read detector.json.

    Args:
        folder: of the detector.
        verifies_files: whether the SHA-256 of every file is compared as well.

    Raises:
        BundleError: it is missing or altered, of another schema, or names a file that is.
    """
    file = folder / DETECTOR_FILE
    if not file.is_file():
        raise BundleError(f"{folder}: is no exported detector (there is no {DETECTOR_FILE})")
    try:
        content = read_json_object(file)
    except DamagedFileError as error:
        raise BundleError(f"{error}; export the detector again") from None
    _require_schema(file, content)
    digest = content.pop("digest", None)
    if digest != _digest_of(content):
        raise BundleError(f"{file}: was altered since it was written; export the detector again")
    content = {k: v for k, v in content.items() if k not in ("schema", "schema_version")}
    try:
        facts = parse(BundleFacts, content)
    except ConfigError as error:
        raise BundleError(f"{file}: {error}; export the detector again") from None
    unlisted = sorted(_named_files(facts) - set(facts.files))
    if unlisted:
        raise BundleError(f"{file}: names {unlisted[0]}, whose SHA-256 it lacks; export again")
    for name, sha256 in facts.files.items():
        _check_file(folder, name, sha256 if verifies_files else None)
    return facts


def _require_schema(file: Path, content: Mapping[str, Any]) -> None:
    schema, version = content.get("schema"), content.get("schema_version")
    if schema != SCHEMA:
        raise BundleError(f"{file}: is no exported detector (its schema is {schema!r})")
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{file}: has schema version {version!r}, this version of bearing_search reads "
            f"{SCHEMA_VERSION}. Export the detector again, or install the version that wrote it."
        )


def _named_files(facts: BundleFacts) -> set[str]:
    """Files that will be opened."""
    networks = [name for one in facts.networks.values() for name in (one.weights, one.graph)]
    return {*filter(None, networks), *(name for test in facts.self_tests for name in test.levels)}


def _check_file(folder: Path, name: str, sha256: str | None) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BundleError(f"{folder / DETECTOR_FILE}: names a file outside its folder, {name}")
    file = folder / path
    if not file.is_file():
        raise BundleError(f"{file}: is missing; copy the whole folder, or export again")
    if sha256 is not None and sha256_of_file(file) != sha256:
        raise BundleError(
            f"{file}: is not the file that was exported (truncated or altered); copy the whole "
            "folder, or export again"
        )


def _digest_of(content: Mapping[str, Any]) -> str:
    try:
        return sha256_of_json(content)
    except ValueError:  # NaN or an infinity, which no writer of ours gives
        return ""


def _plain(facts: BundleFacts) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(facts)))
    return plain


def without_paths(config: TrialConfig) -> dict[str, Any]:
    """All settings in text form; of a weights file only the name, without its folder."""
    plain = to_plain(config)
    weights = str(plain["encoder"]["weights"])
    if weights.startswith("file:"):
        plain["encoder"]["weights"] = f"file:{Path(weights).name}"
    return plain
