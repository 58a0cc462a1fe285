"""The format of a file that is not UTF-8 text, by its first bytes."""

from __future__ import annotations

import codecs
import re

HEAD = 512
"""So many bytes tell."""

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"PK\x03\x04": "zip, as .keras, .npz and .pt files are",
    b"\x89HDF\r\n\x1a\n": "HDF5, as .h5 files are",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"\x93NUMPY": "NumPy",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "RIFF, as WebP and WAV files are",
    b"%PDF-": "PDF",
    b"\x7fELF": "an ELF program",
    b"MZ\x90": "a Windows program",
    b"\0asm": "WebAssembly",
    b"SQLite format 3\0": "SQLite",
    b"\xca\xfe\xba\xbe": "Java",
}
_TAR = (257, b"ustar")
_SAFETENSORS = re.compile(rb'.{5}\0\0\0\{"', re.DOTALL)
_TFLITE = (4, b"TFL3")
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# ASCII text in wide characters, without a byte order mark.
_WIDE = {
    re.compile(rb"(?:[\t\n\r -~]\0\0\0){2}|(?:\0\0\0[\t\n\r -~]){2}"): "UTF-32",
    re.compile(rb"(?:[\t\n\r -~]\0){3}|(?:\0[\t\n\r -~]){3}"): "UTF-16",
}


def binary_kind(head: bytes) -> str:
    """The name of a binary format; empty for what may be text."""
    if head[_TAR[0] :].startswith(_TAR[1]):
        return "tar"
    if head[_TFLITE[0] :].startswith(_TFLITE[1]):
        return "TensorFlow Lite"
    if _SAFETENSORS.match(head):
        return "safetensors"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def wide_encoding(head: bytes) -> str:
    """UTF-16 or UTF-32 for text in wide characters, else empty."""
    marked = (name for mark, name in _MARKS.items() if head.startswith(mark))
    unmarked = (name for pattern, name in _WIDE.items() if pattern.match(head))
    return next(marked, "") or next(unmarked, "")
