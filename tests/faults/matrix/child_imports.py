"""What every process of the matrix needs, imported once by the server they are forked from."""

import seatrial.cli.main
import seatrial.cli.recover
import seatrial.cli.recovery
import seatrial.cli.session
import seatrial.telemetry.log
from seatrial.runtime.undo import undo_kinds
from seatrial.steps.registry import policy_model

policy_model()
undo_kinds()
__all__ = ["seatrial"]
