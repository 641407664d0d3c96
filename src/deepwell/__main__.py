"""Where the command `deepwell` and `python -m deepwell` begin."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C during the imports is no traceback either."""
    try:
        from deepwell.cli.main import main as run
    except KeyboardInterrupt:
        print("\nStopped; nothing was written.", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
