"""`python -m archdsl` is the command line."""

from archdsl.cli import main

main()
