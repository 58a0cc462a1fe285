"""archdsl play [CONFIG] [OVERRIDE…]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.completion import complete_config
from archdsl.tools.cli.options import overrides_argument, plugin_option

if TYPE_CHECKING:
    from archdsl.tools.play.site import Site


@click.command("play")
@plugin_option
@click.argument("config", required=False, shell_complete=complete_config)
@overrides_argument
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where files are opened and saved, and parents are; by default that of CONFIG, else this one.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="By default any that is free.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--static", type=click.Path(path_type=Path), metavar="DIR", help="Write the page as files, and end.")
@click.option("--pyodide", type=click.Path(path_type=Path), metavar="DIR", help="For --static: where Pyodide is.")
def command(
    config: str | None,
    overrides: tuple[str, ...],
    folder: Path | None,
    port: int,
    no_browser: bool,
    static: Path | None,
    pyodide: Path | None,
) -> None:
    """A page on this machine: the YAML on the left; diagram, costs and tables on the right, redrawn at every key.

    It is at 127.0.0.1, for whoever has the address that is printed. Ends with Ctrl-C.

    With --static it is a folder of files for any web server: archdsl runs in the browser, in Pyodide. Its files and a
    wheel of pydantic-core are in the folder of --pyodide; where they are not, the error has the commands to get them.
    """
    from archdsl.tools.play.site import site_of

    site = site_of(config, overrides, folder)
    if static is not None:
        from archdsl.tools.play.static_page import write_static

        write_static(site, static, pyodide or Path())
        say(f"wrote {static}", f"to look at it: python -m http.server --bind 127.0.0.1 --directory {static}")
    else:
        _serve(site, port, no_browser)


def _serve(site: Site, port: int, no_browser: bool) -> None:
    import threading
    import webbrowser

    from archdsl.tools.play.server import Server

    with Server(site.routes, port) as server:
        try:
            threading.Thread(target=site.warm, daemon=True).start()
            say(f"{site.first.name} is at {server.address}", "Ctrl-C ends it")
            if not no_browser:
                webbrowser.open(server.address)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            with site.folder.saving:  # a file that is being written is written to its end
                say("", "ended")
