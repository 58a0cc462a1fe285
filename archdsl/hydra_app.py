"""`python -m archdsl.hydra_app`: the costs of a config as a Hydra job. See archdsl.tools.hydra."""

from archdsl.tools.hydra.__main__ import main

if __name__ == "__main__":
    main()
