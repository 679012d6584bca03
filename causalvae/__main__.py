"""``python -m causalvae``: the same as the command ``causalvae``."""

from causalvae.cli.app import main

if __name__ == "__main__":
    main()
