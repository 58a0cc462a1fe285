"""A. Files and encodings, B. YAML syntax, E. tags, anchors, depth and size."""

# A case stands in one line.
# fmt: off
from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile

from bad_inputs.case import NET, Case, texts


def zipped() -> bytes:
    """A .keras file is a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("config.json", "{}")
    return data.getvalue()


def _safetensors() -> bytes:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return struct.pack("<Q", len(header)) + header + b"\0\0\0\0"


_TAR = b"a.yaml".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0")

# number, what it is, bytes, code, part of the message, part of the hint
_BYTES = [
    (7, "empty", b"", "empty", "no settings found", ""),
    (7, "a newline", b"\n\n", "empty", "no settings found", ""),
    (7, "spaces", b"   \n  \n", "empty", "no settings found", ""),
    (7, "a byte order mark", b"\xef\xbb\xbf", "empty", "no settings found", ""),
    (7, "only comments", b"# a comment\n# another\n", "empty", "no settings found", ""),
    (7, "only ---", b"---\n", "empty", "no settings found", ""),
    (7, "--- and ...", b"---\n...\n", "empty", "no settings found", ""),
    (7, "null", b"null\n", "empty", "no settings found", ""),
    (7, "~", b"~\n", "empty", "no settings found", ""),
    (8, "UTF-16 with a mark", NET.encode("utf-16"), "encoding", "UTF-16 text; expected UTF-8", "save the file as UTF-8"),
    (8, "UTF-16-LE", NET.encode("utf-16-le"), "encoding", "UTF-16 text", "UTF-8"),
    (8, "UTF-16-BE", NET.encode("utf-16-be"), "encoding", "UTF-16 text", "UTF-8"),
    (9, "UTF-32 with a mark", NET.encode("utf-32"), "encoding", "UTF-32 text; expected UTF-8", "save the file as UTF-8"),
    (9, "UTF-32-LE", NET.encode("utf-32-le"), "encoding", "UTF-32 text", "UTF-8"),
    (9, "UTF-32-BE", NET.encode("utf-32-be"), "encoding", "UTF-32 text", "UTF-8"),
    (15, "gzip", gzip.compress(NET.encode()), "encoding", "binary file (gzip); expected YAML text", ""),
    (15, "PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "encoding", "binary file (PNG)", ""),
    (15, "JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF", "encoding", "binary file (JPEG)", ""),
    (15, "pickle 2", pickle.dumps({"a": 1}, 2), "encoding", "binary file (pickle)", ""),
    (15, "pickle 4", pickle.dumps({"a": 1}, 4), "encoding", "binary file (pickle)", ""),
    (15, "pickle 5", pickle.dumps({"a": 1}, 5), "encoding", "binary file (pickle)", ""),
    (15, ".keras", zipped(), "encoding", "binary file (zip, as .keras", ""),
    (15, "HDF5", b"\x89HDF\r\n\x1a\n" + bytes(40), "encoding", "binary file (HDF5, as .h5", ""),
    (15, "safetensors", _safetensors(), "encoding", "binary file (safetensors)", ""),
    (15, "tar", _TAR, "encoding", "binary file (tar)", ""),
    (15, "NumPy", b"\x93NUMPY\x01\0", "encoding", "binary file (NumPy)", ""),
    (15, "PDF", b"%PDF-1.7\n%\xe2\xe3", "encoding", "binary file (PDF)", ""),
    (15, "ELF", b"\x7fELF\x02\x01\x01\0", "encoding", "binary file (an ELF program)", ""),
    (15, "xz", b"\xfd7zXZ\0\0", "encoding", "binary file (xz)", ""),
    (15, "zstandard", b"\x28\xb5\x2f\xfd\0", "encoding", "binary file (zstandard)", ""),
    (15, "SQLite", b"SQLite format 3\0", "encoding", "binary file (SQLite)", ""),
    (5, "just over 1 MiB", b"#" * ((1 << 20) + 1), "limit", "a config has at most 1048576", ""),
]

FILES = [Case(number, data, code, message, hint, label=label) for number, label, data, code, message, hint in _BYTES]
FILES += [
    Case(23, b"\xef\xbb\xbfname: 5\n", "type", "got the number 5", label="a byte order mark", at=("net.yaml", 1, 7)),
    Case(10, b"stages:\n  p3: {width: \xff}\n", "encoding", "byte 22 is 0xff", "", label="a byte that is not UTF-8"),
    Case(10, "description: née\n".encode("latin-1"), "encoding", "0xe9", "in Latin-1 this byte is 'é'", label="Latin-1"),
    Case(10, b"a: \xed\xa0\x80\n", "encoding", "0xed", "UTF-8", label="half a surrogate pair in UTF-8"),
    Case(10, b"a: \xc0\xaf\n", "encoding", "0xc0", "UTF-8", label="overlong UTF-8"),
]

TEXTS = texts(
    [
        (13, "stages:\n  p3: {width: 8§\0}\n", "encoding", "U+0000 is not allowed", "take it out"),
        (13, "a: 1\r\nb: §\x1b[31m\r\n", "encoding", "U+001B", "take it out"),
        (13, "a: 1\rb: x§\x07\r", "encoding", "U+0007", ""),
        (13, "a: x§\x7fy\n", "encoding", "U+007F", ""),
        (13, "a: 1§\x85b: 2\n", "encoding", "U+0085", ""),
        (13, "a: 1§\u2028b: 2\n", "encoding", "U+2028", ""),
        (13, "a: §\uffff\n", "encoding", "U+FFFF", ""),
        (17, "a: 1\n§<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n", "syntax", "conflict marker at line 2", "keep one"),
        (17, "stages:\n§<<<<<<< HEAD\n  p2: {}\n=======\n  p2: 1\n>>>>>>> x\n", "syntax", "conflict marker at line 2", ""),
        (17, "§<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n", "syntax", "merge conflict marker at line 1", "keep one"),
        (17, "a: 1\n§=======\nb: 3\n", "syntax", "merge conflict marker at line 2", ""),
        (17, "a: 1\n§>>>>>>> x\nb: 2\n", "syntax", "merge conflict marker at line 2", ""),
        (17, "a: 1\r\nb: 2\r\n§<<<<<<< HEAD\r\nc: 2\r\n=======\r\n", "syntax", "merge conflict marker at line 3", ""),
        (17, "a: 1\r§=======\rb: 3\r", "syntax", "merge conflict marker at line 2", ""),
        (23, f"{NET}\r\nname: §5\r\n", "type", "expected text, got the number 5", ""),
        (23, "name: a\rsource: §5\r", "type", "expected text, got the number 5", ""),
        (17, "§>>>>>>> theirs\n", "syntax", "merge conflict marker at line 1", ""),
        (17, "a: 1\n§||||||| base\nb: 2\n", "syntax", "merge conflict marker at line 2", ""),
        (19, "§def f(): pass\n", "unknown-key", "unknown key 'def f()'; expected one of: archdsl, name", ""),
        (19, "§def f():\n    return 1\n", "unknown-key", "unknown key 'def f()'", ""),
        (19, "§import keras\n", "syntax", "this is Python", "`key: value`"),
        (19, "§from keras import layers\nx = layers.Input((3,))\n", "syntax", "this is Python", ""),
        (19, "§class Net(Model):\n    def call(self): pass\n", "unknown-key", "unknown key 'class Net(Model)'", ""),
        (20, "§[stages.p3]\nwidth = 8\n", "syntax", "this is TOML or INI", "write `stages:`"),
        (20, "§<!DOCTYPE html>\n<html><body>404: not found</body></html>\n", "syntax", "this is HTML or XML", ""),
        (20, '§<?xml version="1.0"?>\n<a b="c: d"/>\n', "syntax", "this is HTML or XML", ""),
        (20, '{\n  §// JSON with comments\n  "a": 1\n}\n', "syntax", "a comment begins with #", "write # for //"),
        (20, "§width = 8\n", "type", "top level is text 'width = 8'; expected a mapping (YAML has no =)", "write key: value"),
        (20, "stages: {§{ stages }}\n", "key", "a key must be text", "templates are not expanded"),
        (20, "§{% for n in x %}\na: 1\n{% endfor %}\n", "syntax", "templates are not expanded", ""),
        (20, "§hello world\n", "type", "the top level is text 'hello world'", "write `stages:`"),
        (20, "§5\n", "type", "the top level is the number 5", ""),
        (20, "§'quoted'\n", "type", "the top level is text 'quoted'", ""),
        (21, f"{NET}§-name: a\n+name: b\n", "unknown-key", "unknown key '-name'", "did you mean 'name'? (this looks like a diff)"),
        (21, f"{NET}§+description: b\n", "unknown-key", "unknown key '+description'", "did you mean 'description'"),
        (21, "--- a/net.yaml\n§+++ b/net.yaml\n@@ -1,2 +1,2 @@\n-a: 1\n+a: 2\n", "syntax", "this is a diff", "apply it"),
        (21, "§diff --git a/x b/x\nindex 1234567..89abcde\n--- a/x\n", "syntax", "this is a diff", "apply it"),
        (21, "§@@ -1,3 +1,3 @@\n a: 1\n", "syntax", "this is a diff", ""),
        (24, f"{NET}§---\n{NET}", "documents", "a second document begins here", "a file of its own"),
        (24, f"{NET}...\n§---\nb: 1\n", "documents", "a second document begins here", ""),
        (24, f"{NET}...\n§b: 1\n", "syntax", "text after the end of the document", "`...`"),
        (25, "stages:\n§\tp3: {}\n", "syntax", "tab at line 2 column 1", "indent with spaces"),
        (25, "stages:\n  p3:\n§\t\twidth: 8\n", "syntax", "tab at line 3 column 1", "indent with spaces"),
        (25, "stages:\n  p3:\n  §\twidth: 8\n", "syntax", "tab at line 3 column 3", "indent with spaces"),
        (25, "outputs:\n§\t- p3\n", "syntax", "tab at line 2 column 1", "indent with spaces"),
        (25, "a: {\n  b: 1,\n§\tc: 2: 3}\n", "syntax", "tab at line 3", ""),
        (27, "stages:§1\n", "type", "the top level is text 'stages:1'", "put a space after the colon"),
        (27, "stages:\n  p2: §width:8\n", "type", "expected a mapping, got text 'width:8'", "a space after the colon: width: 8"),
        (27, "stages:\n  p2:\n    §width:8\n    depth:3\n", "type", "got text 'width:8 depth:3'", "put a space after the colon"),
        (27, "stages:\n  p2:\n    width:§8\n    depth: 3\n", "syntax", "no space after the colon", "a space after the colon"),
        (27, "stages:\n  p2:\n    width: 8\n    depth:§3\n", "syntax", "no space after the colon", "a space after the colon"),
        (27, "stages: {p2: {§width:8, depth: 3}}\n", "unknown-key", "unknown key 'width:8'", "put a space after the colon"),
        (29, f"{NET}outputs:\n  §-p1\n  -p2\n", "unknown-output", "there is no stage or layer '-p1 -p2'", "a space after the dash"),
        (29, "§-1\n-2\n", "type", "the top level is text '-1 -2'", "put a space after the dash"),
        (29, "outputs:\n  - p3\n  §-p4\n", "syntax", "a list item without a space", "a space after the dash"),
        (29, "outputs:\n  §-p3\n  - p4: 1\n", "syntax", "a list item without a space", "a space after the dash"),
        (31, "outputs: §[p3, p4\nname: x\n", "syntax", "the '[' is never closed", "close this bracket"),
        (31, "outputs: §[p3, p4\n", "syntax", "the '[' is never closed", "close this bracket"),
        (31, "stages: §{p3: {width: 8}\n", "syntax", "the '{' is never closed", "close this bracket"),
        (31, "stages: §{\n", "syntax", "the '{' is never closed", "close this bracket"),
        (31, "§[?+", "syntax", "the '[' is never closed", "close this bracket"),
        (31, "a: [1, §{b: [2, 3]\n", "syntax", "the '{' is never closed", ""),
        (31, 'description: §"never closed\nname: x\n', "syntax", 'the quote " is never closed', "close the quote"),
        (31, "description: §'never closed\nname: x\n", "syntax", "the quote ' is never closed", "close the quote"),
        (31, "description: §'one\nname: 'x'\nsource: y\n", "syntax", "this quote is closed only by a later one", "close"),
        (31, 'description: §"a\u00a0b\n', "syntax", 'the quote " is never closed', "close the quote"),
        (31, '§"a: 1\n', "syntax", 'the quote " is never closed', ""),
        (32, "outputs: [p3]§]\n", "syntax", "']' closes nothing", "take it out"),
        (32, "outputs: [p3§}\n", "syntax", "'}' cannot close the '[' of line 1", "its own kind"),
        (32, "scale: {width: 1§]\n", "syntax", "']' cannot close the '{' of line 1", "its own kind"),
        (32, "outputs: [p3,§, p4]\n", "syntax", "a value is missing before ','", ""),
        (32, "outputs: §}\n", "syntax", "'}' closes nothing", ""),
        (33, "description: a§: b: c\n", "syntax", "a second colon in one line", "quote the value"),
        (33, "source: see§: https://a.b\n", "syntax", "a second colon in one line", "quote the value"),
        (34, "name: a\n  §source: b\n", "syntax", "indented deeper than its neighbour", "indent both the same"),
        (34, "scale:\n    width: 1\n  §depth: 1\n", "syntax", "an indentation of 2 that fits no line above", "align it"),
        (34, "stages:\n  p2: {}\n §p3: {}\n", "syntax", "an indentation of 1 that fits no line above", "align it"),
        (34, "outputs:\n- p3\n§p4\n", "syntax", "there is no colon", "write key: value"),
        (34, "stages§\n  p2: {}\n", "syntax", "there is no colon after this key", "write key: value"),
        (34, "- a\n§b: 1\n", "syntax", "keys and list items", ""),
        (34, "outputs: §- p3\n", "syntax", "a list cannot begin here", "write [a, b]"),
        (34, "a: [b,\n§c]\n", "syntax", "belongs to the bracket opened in line 1", "indent it"),
        (34, 'a: "b\n§c"\n', "syntax", "belongs to the quote opened in line 1", ""),
        (34, "a: 'b'§#c\n", "syntax", "a comment begins right after a value", "a space before the #"),
        (34, "description: 'it'§s'\n", "syntax", "text follows a closed quote", "write ''"),
        (34, "description: |§text\n", "syntax", "text follows | or >", "the next line"),
        (35, "a: &base 1\nb: §*bse\n", "alias", "named &bse", "did you mean 'base'?"),
        (35, "a: §*x\n", "alias", "nothing before this place is named &x", ""),
        (35, "a: §*x\nb: &x 1\n", "alias", "nothing before this place is named &x", ""),
        (35, "a: §*\n", "syntax", "* and & need a name", "quote a value"),
        (35, "source: §*.yaml\n", "syntax", "", ""),
        (36, "a: §@b\n", "syntax", "'@' cannot begin a value", "quote the value"),
        (36, "a: §`b`\n", "syntax", "'`' cannot begin a value", "quote the value"),
        (36, "a: §%b\n", "syntax", "'%' cannot begin a value", "quote the value"),
        (36, 'a: "§\\q"\n', "syntax", "a backslash sequence that YAML does not have", "single quotes"),
        (36, 'a: "C:§\\users"\n', "syntax", "\\u sequence", ""),
        (37, "§%YAML 3.0\n---\na: 1\n", "syntax", "'%YAML 3.0' is not supported", "leave this line out"),
        (37, "§%FOO bar\n---\na: 1\n", "syntax", "'%FOO bar' is not a known directive", "leave this line out"),
        (37, "§%TAG ! tag:x,2000:\n---\na: 1\n", "tag", "tags are not allowed", ""),
        (37, "%YAML 1.2\n§a: 1\n", "syntax", "text after", ""),
        (39, "stages:§\u00a01\n", "type", "U+00A0 NO-BREAK SPACE", "ordinary space"),
        (39, "stages:§\u00a0\n  p2: {}\n", "syntax", "U+00A0 NO-BREAK SPACE", "ordinary space"),
        (39, "stages:\n§\u00a0\u00a0p2: {}\n", "unknown-key", "unknown key", "U+00A0 NO-BREAK SPACE"),
        (39, "stages: {p2: {§width:\u00a08}}\n", "unknown-key", "unknown key", "U+00A0"),
        (39, "stages§：1\n", "type", "U+FF1A FULLWIDTH COLON", ""),
        (39, "stages§：\n  p2: {}\n", "syntax", "U+FF1A FULLWIDTH COLON", ""),
        (39, "name:§\u2003x\n", "type", "U+2003 EM SPACE", ""),
        (41, "§- a\n- b\n", "type", "the top level is a list of 2; expected a mapping", ""),
        (41, "§[1, 2]\n", "type", "the top level is a list of 2; expected a mapping", ""),
        (41, '§[{"stages": {}}]\n', "type", "the top level is a list of 1; expected a mapping", ""),
        (41, "§- stages:\n    p2: {}\n", "type", "the top level is a list of 1; expected a mapping", ""),
    ]
)

_DEEP = {
    115: ("a: " + "[" * 64 + "[" * 436 + "]" * 500 + "\n", "flow lists"),
    116: ("a: " + "{a: " * 500 + "1" + "}" * 500 + "\n", "flow mappings"),
    117: ("".join(" " * depth + "a:\n" for depth in range(500)), "block mappings"),
    118: ("a:\n" + "- " * 500 + "x\n", "block lists"),
}
_ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
_MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 8))

TAGS = texts(
    [
        (103, "a: §!!python/object/apply:os.system [id]\n", "tag", "os.system is not allowed", "leave the tag out"),
        (103, "a: §!!python/object/new:os.system [id]\n", "tag", "os.system is not allowed", "leave the tag out"),
        (103, "a: §!!python/name:os.system\n", "tag", "is not allowed", ""),
        (103, "a: §!!python/module:os\n", "tag", "is not allowed", ""),
        (103, "§!!python/object/apply:os.system [id]\n", "tag", "os.system is not allowed", ""),
        (103, "§!!python/name:os.system : 1\n", "tag", "is not allowed", ""),
        (104, "a: §!<tag:yaml.org,2002:python/object/apply:os.system> [id]\n", "tag", "os.system is not allowed", ""),
        (105, "a: §!!python/object/apply:pathlib.PosixPath [/etc/passwd]\n", "tag", "pathlib.PosixPath", ""),
        (106, "a: §!mytag 1\n", "tag", "!mytag is not allowed", "leave the tag out"),
        (106, "a: §! 1\n", "tag", "the tag ! is not allowed", ""),
        (106, "a: §!e!x 1\n", "tag", "tags are not allowed", ""),
        (106, "a: §!<x\n", "tag", "tags are not allowed", ""),
        (106, "stages: §!include stages.yaml\n", "tag", "!include is not allowed", ""),
        (106, "a: §!env HOME\n", "tag", "!env is not allowed", ""),
        (107, "a: §!!binary aGVsbG8=\n", "tag", "binary is not allowed", ""),
        (107, "a: §!!set {x, y}\n", "tag", "set is not allowed", ""),
        (107, "a: §!!omap [x: 1]\n", "tag", "omap is not allowed", ""),
        (107, "a: §!!pairs [x: 1]\n", "tag", "pairs is not allowed", ""),
        (107, "a: §!!timestamp 2024-01-01\n", "tag", "timestamp is not allowed", ""),
        (108, "a: §!!float 3\n", "tag", "float is not allowed", ""),
        (108, "a: §!!int '3'\n", "tag", "int is not allowed", ""),
        (108, "a: §!!str 3\n", "tag", "str is not allowed", ""),
        (108, "a: §!!bool yes\n", "tag", "bool is not allowed", ""),
        (108, "a: §!!null ''\n", "tag", "null is not allowed", ""),
        (108, "a: §!!map {b: 1}\n", "tag", "map is not allowed", ""),
        (109, "a: &x {b: 1}\nc:\n  §<<: *x\n", "merge-key", "the merge key << is not allowed", "inherit with `defaults:`"),
        (109, "a: &x {b: 1}\nc: {§<<: [*x, *x]}\n", "merge-key", "the merge key << is not allowed", ""),
        (109, "§<<: {a: 1}\n", "merge-key", "the merge key << is not allowed", ""),
        (109, '§"<<": {a: 1}\n', "merge-key", "the merge key << is not allowed", ""),
        (111, "a: &a {b: §*a}\n", "alias", "the alias *a refers to itself", ""),
        (111, "a: &a [§*a]\n", "alias", "the alias *a refers to itself", ""),
        (111, "&top\na: §*top\n", "alias", "the alias *top refers to itself", ""),
        (111, "a: &x {b: &y {c: §*x}}\n", "alias", "the alias *x refers to itself", ""),
        (112, "a: 1\n§*a : 2\n", "key", "a key must be text", ""),
        (119, "a: [" + "1," * 19_998 + "§1," + "1," * 150_000 + "]\n", "limit", "more than 20000 values", ""),
        (119, "a:\n" + "- 1\n" * 19_998 + "- §1\n" + "- 1\n" * 10, "limit", "more than 20000 values", ""),
        (121, f"description: §{'x' * 1_000_000}\n", "limit", "a text of 1000000 characters; the limit is 10000", ""),
        (121, f"description: §'{'x ' * 400_000}'\n", "limit", "the limit is 10000", ""),
        (121, "description: §|\n" + "  line\n" * 100_000, "limit", "the limit is 10000", ""),
        (121, f"? §{'k' * 300}\n: 1\n", "limit", "a key of 300 characters", ""),
        (122, f"# {'c' * 1_000_000}\n§[a]\n", "type", "the top level is a list", ""),
        (122, f"a: §{'1' * 5_000}\n", "range", "a number of 5000 digits", ""),
        (122, "§%TAG !a! x\n" + "%TAG !b! x\n" * 90_000 + "---\na: 1\n", "tag", "tags are not", ""),
        (122, "a: [" + ", ".join(f"§*x{n}" if n == 0 else f"*x{n}" for n in range(30_000)) + "]\n", "alias", "named &x0", ""),
        (122, f"{NET}" + "".join(f"{'§' if n == 0 else ''}k{n}: 1\n" for n in range(10_000)), "unknown-key", "unknown key 'k0'", ""),
    ]
)
TAGS += [Case(number, text, "depth", "nested deeper than 64", label=label) for number, (text, label) in _DEEP.items()]
TAGS += [
    Case(110, _ALIASES, "limit", "more than 20000 values", label="billion laughs"),
    Case(113, _MERGES, "merge-key", "the merge key << is not allowed", label="merge-key bomb"),
]
