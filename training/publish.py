"""Ship a finished run as a preset: `python -m training.publish NAME --run DIR --data-dir DIR`."""

from training.publishing.publish import main

if __name__ == "__main__":
    main()
