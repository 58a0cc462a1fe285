"""archdsl explain [CODE | CONFIG KEY [OVERRIDE…]]"""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from archdsl.analysis.explain import Explanation, Statement, explain
from archdsl.analysis.text import yaml_text
from archdsl.diagnostics.codes import CODES, Code
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.terminal import say
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.source import ABSENT, dotted
from archdsl.tools.cli.completion import complete_config, complete_key, completions
from archdsl.tools.cli.options import ConfigArgument, overrides_argument, plugin_option, read_stdin
from archdsl.tools.cli.output import print_json


def complete_subject(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    codes = {name: code.meaning for name, code in known_codes().items() if name.startswith(incomplete)}
    return [*completions(codes), *complete_config(context, parameter, incomplete)]


@click.command("explain")
@plugin_option
@click.argument("config", metavar="[CODE|CONFIG]", required=False, shell_complete=complete_subject, callback=read_stdin)
@click.argument("key", required=False, shell_complete=complete_key)
@overrides_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: ConfigArgument | None, key: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Where the value of KEY in CONFIG comes from: every file and override that sets it.

    With an error CODE alone, what it means; with nothing, all codes.
    """
    if config is None:
        print_codes(as_json)
    elif key is None:
        print_code(str(config), as_json)
    else:
        print_explanation(explain(config, key, overrides), as_json)


def known_codes() -> dict[str, Code]:
    """Of errors, and of what `archdsl check` asks."""
    from archdsl.analysis.lint import CHECKS

    questions = {name: Code((check.__doc__ or "").partition("\n")[0]) for name, check in CHECKS.items()}
    known: dict[str, Code] = dict(CODES.items())
    return known | questions


def print_codes(as_json: bool) -> None:
    known = known_codes()
    if as_json:
        print_json({name: code._asdict() for name, code in known.items()})
    else:
        width = max(map(len, known))
        say(*[f"{name:{width}}  {known[name].meaning}" for name in sorted(known)])


def print_code(name: str, as_json: bool) -> None:
    """Raises ArchError with the nearest code for one that is unknown."""
    code = known_codes().get(name)
    if code is None:
        listed = "`archdsl explain` lists the codes; for a value: archdsl explain CONFIG KEY"
        raise fail("unknown-code", f"no error code '{name}'", hint=did_you_mean(name, known_codes()) or listed)
    if as_json:
        print_json({"code": name, **code._asdict()})
    else:
        say(*"\n\n".join([f"{name}\n{code.meaning}", *examples(code)]).split("\n"))


def examples(code: Code) -> list[str]:
    """The mistake and its fixed form, indented under a heading each."""
    shown = [("For example:", code.mistake), ("Fixed:", code.fixed)]
    return [f"{title}\n" + "\n".join(f"    {line}" for line in text.splitlines()) for title, text in shown if text]


def print_explanation(found: Explanation, as_json: bool) -> None:
    if as_json:
        print_json(explanation_data(found))
        return
    value = "is not in this config" if found.value is ABSENT else f"= {yaml_text(found.value)}"
    places = [printable(str(said.mark)) for said in found.statements]
    width = max(map(len, places), default=0)
    lines = [f"{printable(dotted(found.path))} {value}"]
    for place, said in zip(places, found.statements, strict=True):
        lines.append(f"  {'*' if said.wins else ' '} {place:{width}}  {statement_text(said, found)}")
    lines += [f"    {found.default}"] if found.default else []
    lines += [f"  becomes {found.becomes}: {found.scaling}"] if found.scaling else []
    say(*lines)


def statement_text(said: Statement, found: Explanation) -> str:
    """The value that is set, under which key where that is another, and where the file of a group is chosen."""
    behind = "" if said.path == found.path else f"  ({dotted(said.path)})"
    chosen = f"  (chosen at {printable(str(said.chosen_at))})" if said.chosen_at else ""
    return ("removes it" if said.value is ABSENT else yaml_text(said.value)) + behind + chosen


def explanation_data(found: Explanation) -> dict[str, Any]:
    """Plain data; a key that was taken away has no value."""
    statements = [
        {**said.mark._asdict(), "key": dotted(said.path), **value_data(said.value), "wins": said.wins}
        | ({"chosen_at": str(said.chosen_at)} if said.chosen_at else {})
        for said in found.statements
    ]
    scaled = {"becomes": found.becomes, "scaling": found.scaling} if found.scaling else {}
    default = {"default": found.default} if found.default else {}
    return {"key": dotted(found.path), **value_data(found.value), **default, **scaled, "statements": statements}


def value_data(value: Any) -> dict[str, Any]:
    return {} if value is ABSENT else {"value": value}
