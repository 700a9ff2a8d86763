"""A finished study within seconds.

Its outputs are empty files, which Snakemake's own touch marks as current.

"""

import subprocess
import sys

from tree import snakemake

# Snakemake's touch rests a tenth of a second after every job; of a thousand jobs that is two
# minutes.
TOUCH = (
    "from snakemake.executors.touch import Executor; Executor.SLEEPING_TIME = 0; "
    "from snakemake.cli import main; main()"
)


def finish(folder):
    """The folder, with every output of its study empty but, to Snakemake, made and up to date."""
    for line in snakemake(folder, "--summary").stdout.splitlines()[1:]:
        file = folder / line.split("\t")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    command = [sys.executable, "-c", TOUCH, "--touch", "--forceall", "--quiet", "all"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder
