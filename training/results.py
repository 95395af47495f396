"""Write the tables of results: `python -m training.results --write`."""

from zoo.quiet import quiet_when_imported

if __name__ == "__main__":
    quiet_when_imported()
    from training.publishing.results import main

    main()
