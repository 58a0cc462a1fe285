"""archdsl lsp"""

from __future__ import annotations

import click

from archdsl.diagnostics.packages import require


@click.command("lsp")
def command() -> None:
    """Language server for editors, on standard input and output.

    For files that say so: a first comment `# archdsl`, the schema's line, a name that ends in .arch.yaml, or the
    editor's setting archdsl.files, a list of globs. Settings for editors are in examples/editors.
    """
    require("pygls")
    from archdsl.tools.lsp.server import serve  # what speaks the protocol takes a while to import

    serve()
