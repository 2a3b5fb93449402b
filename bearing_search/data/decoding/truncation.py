"""Detects truncated image files.

Some decoders return the part that is there and fill the rest with grey; a trial must not learn
that. Checked before decoding, from the format's structure: PNG states the length of every chunk,
WebP and BMP that of the file, and JPEG ends with a marker. A TIFF's directory may come first or
last; its decoder reports missing data.
"""


def is_truncated(content: bytes) -> bool:
    """Whether a PNG, JPEG, BMP or WebP file is truncated; False for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return not _png_is_whole(content)
    if content.startswith(b"\xff\xd8"):
        return not _jpeg_is_whole(content)
    if content.startswith(b"BM"):
        return len(content) < int.from_bytes(content[2:6], "little")
    if content.startswith(b"RIFF"):
        return len(content) < 8 + int.from_bytes(content[4:8], "little")
    return False


def _png_is_whole(content: bytes) -> bool:
    """Follow the chunks (length, name, data, checksum) until IEND."""
    at = 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"IEND":
            return end <= len(content)
        at = end
    return False


def _jpeg_is_whole(content: bytes) -> bool:
    """Skip the segments before the image data, where a thumbnail may contain an end marker."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == 0xFF:  # padding
            at += 1
            continue
        if content[at + 1] == 0xDA:  # start of scan
            return content.find(b"\xff\xd9", at) >= 0
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return False
