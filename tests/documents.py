"""What the documents tell a reader to type."""

import re


def commands_of(text):
    """The commands in the `sh` blocks of a Markdown text, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [command.strip() for line in lines if line for command in line.split(" && ")]
