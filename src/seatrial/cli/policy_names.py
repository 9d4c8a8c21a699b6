"""What a policy is called: in what is kept of its runs, in series and in reports.

One file has one name, however it was pointed at, or its runs would be those of several policies.
"""

import os
from pathlib import Path


def policy_name(file: Path | str) -> str:
    """The path of a policy's file, from the working directory where it is below that, absolute otherwise.

    So a checkout may be anywhere. Links are not followed: what a mounted ConfigMap's lead to changes with each update.
    From the root nothing but its own files has a path, for all is below that. What is no path, as label mode's name,
    stays as it is.
    """
    path, here = os.path.abspath(file), os.getcwd()  # noqa: PTH100, PTH109 -- pathlib leaves `..` in
    if here == os.path.dirname(path):  # noqa: PTH120
        return os.path.basename(path)  # noqa: PTH119
    is_below = here != os.sep and path.startswith(here + os.sep)
    return path.removeprefix(here + os.sep) if is_below else path
