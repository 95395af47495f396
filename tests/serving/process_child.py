"""A small server: crashes as often as its counting file says, then serves until a signal comes."""

import os
import signal
import sys
import time
from pathlib import Path

counter, crashes = Path(sys.argv[1]), int(sys.argv[2])
starts = int(counter.read_text() or 0) + 1 if counter.exists() else 1
counter.write_text(str(starts))
if starts <= crashes:
    os.kill(os.getpid(), signal.SIGABRT)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGHUP, lambda *_: counter.with_suffix(".hup").write_text("1"))
counter.with_suffix(".ready").write_text("1")
while True:
    time.sleep(0.05)
