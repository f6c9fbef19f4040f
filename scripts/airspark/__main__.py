"""`python -m airspark` is the command-line interface."""

from airspark.cli import main

if __name__ == "__main__":
    main()
