"""Answers for editors while a config is written: pure functions of its text, without a server.

A `Document` (document.py) is one text under the name of a file. Lines and columns start at 1; nothing here raises for a
text, whatever is in it.

| function | answer |
|---|---|
| `Document(...).problems`, `.config`, `.report`, `.last_good` | what is wrong, with fixes; what it means and costs |
| `hints.inlays`, `hints.lenses` | figures beside entries, totals above the text |
| `completion.complete(document, line, column)` | what may be written at a place |
| `hover.hover(document, line, column)` | what is known of the thing there, as Markdown |
| `definition.define(document, line, column)` | where it is defined, also in other files |
| `rename.prepare_rename(document, line, column)` | the word that can get another name, or why it cannot |
| `rename.rename(document, line, column, name)` | the edits that give it one, or why it is refused |
| `symbols.symbols(document)`, `symbols.folds(document)` | the outline of the text, and what of it can be folded |
| `places.Index(text).at(line, column)` | the key path of a place, and whether it is at a key or a value |

Each layer uses those above it: `written.py`, `brackets.py` and `scan.py` read a text that may be half-written,
`places.py` answers for its places, `names.py` knows what stages and layers are called, `surroundings.py` what the text
means together with its parents, and `wording.py` puts that in words.
"""
