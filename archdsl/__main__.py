"""`python -m archdsl` is the command line."""

from archdsl.tools.cli import main

main()
