"""The environment of the tests.

One torch thread for each test process: two contending threads run many times slower than one. Caches of decoded
episodes go to a folder of each test process, and not to that of the user.
"""

import atexit
import os
import shutil
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["TACIT_CACHE"] = tempfile.mkdtemp(prefix="tacit-cache-")
atexit.register(shutil.rmtree, os.environ["TACIT_CACHE"], ignore_errors=True)
