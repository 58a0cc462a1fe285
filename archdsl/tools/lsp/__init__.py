"""The language server: `archdsl.tools.editing` for editors, over the Language Server Protocol 3.17.

`server.py` connects the features, a file for each group of them; `open_texts.py` keeps what is open, `claims.py` says
which texts are configs, `positions.py` converts places. Whatever is computed from a text is a function of `editing`.
"""
