"""What every command line shares: a user's fault ends in one sentence, ours in a traceback."""

import sys


def run(main):
    """Run a script's `main()`. ValueError and FileNotFoundError become `<verb>: <sentence>` and exit code 1."""
    try:
        main()
    except (ValueError, FileNotFoundError) as fault:
        sys.exit(f"{sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')}: {fault}")
