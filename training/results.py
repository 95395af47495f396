"""Write the tables of results: `python -m training.results --write`."""

from training.publishing.results import main

if __name__ == "__main__":
    main()
