"""`python -m stemscan`: the command line."""

from stemscan.cli.main import run

if __name__ == "__main__":
    run()
