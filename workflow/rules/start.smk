"""What comes first: the process that reads the workflow, before any of the library is imported."""

import gc
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from postgrad.study.environment import missing_packages_message, put_interpreter_first

# Jobs call `python`, which must be this one also where no environment is activated. What `--sdm
# conda` activates in a job comes before it.
put_interpreter_first()

in_conda = any(method.name == "CONDA" for method in workflow.deployment_settings.deployment_method)
if workflow.is_main_process and not in_conda:
    if sentence := missing_packages_message(Path(workflow.basedir) / "requirements.txt"):
        sys.exit(sentence)

# The graph of 1,000 jobs is built once and kept: looking for garbage in it took a tenth of the
# start.
gc.set_threshold(100_000)
