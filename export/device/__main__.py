"""`python -m export.device FILE.tflite TEXT...`."""

import sys

from export.device.runtime import main

if __name__ == "__main__":
    sys.exit(main())
