"""`python -m cnnlab`."""

from cnnlab.cli.app import main

if __name__ == "__main__":
    main()
