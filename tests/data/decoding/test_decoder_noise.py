"""Lines of decoders are kept off file descriptor 2; lines of everybody else arrive."""

import os
from pathlib import Path

from bearing_search.data.decoding.decoder_noise import captured_decoder_lines

OTHER = "epoch 3: loss 0.2"


def test_lines_of_decoders_are_kept_and_others_are_printed_afterwards(capfd):
    with captured_decoder_lines() as printed:
        os.write(2, b"libpng warning: iCCP: known incorrect sRGB profile\n")
        os.write(2, f"{OTHER}\n".encode())
        os.write(2, b"Corrupt JPEG data: 26 extraneous bytes before marker 0xd9\n")
    assert capfd.readouterr().err == f"{OTHER}\n"
    assert len(printed.lines) == 2
    assert printed.jpeg_damage == "Corrupt JPEG data: 26 extraneous bytes before marker 0xd9"


def test_a_broken_colour_profile_is_no_damage(capfd):
    with captured_decoder_lines() as printed:
        os.write(2, b"Corrupt JPEG data: bad ICC marker\n")
    assert printed.jpeg_damage == ""
    assert capfd.readouterr().err == ""


def test_the_descriptor_is_given_back_when_decoding_raises(capfd):
    try:
        with captured_decoder_lines() as printed:
            os.write(2, b"libpng error: IDAT: CRC error\n")
            raise ValueError
    except ValueError:
        os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert printed.lines == ("libpng error: IDAT: CRC error",)


def test_no_descriptor_is_left_open():
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir()))
    for _ in range(5):
        with captured_decoder_lines():
            pass
    assert len(list(opened.iterdir())) == before
