"""`python -m cnnlab`."""

from cnnlab.main import main

if __name__ == "__main__":
    main()
