"""archdsl play [CONFIG] [OVERRIDE…]"""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.completion import complete_config
from archdsl.tools.cli.options import overrides_argument, plugin_option


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
def command(config: str | None, overrides: tuple[str, ...], folder: Path | None, port: int, no_browser: bool) -> None:
    """A page on this machine: the YAML on the left; diagram, costs and tables on the right, redrawn at every key.

    It is at 127.0.0.1, for whoever has the address that is printed. Ends with Ctrl-C.
    """
    import threading
    import webbrowser

    from archdsl.tools.play.server import Server
    from archdsl.tools.play.site import site_of

    site = site_of(config, overrides, folder)
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
