"""The number of open letters, shown at once after something changed it; every minute it is shown anyway."""

from collections.abc import Iterable

from aws_lambda_powertools import Logger

from operations.model import Letter
from operations.usecases import Gauge, Letters, show_open_in

logger = Logger()


def show_changed(changed: Iterable[Letter], letters: Letters, gauge: Gauge) -> None:
    """Show how many letters are open where these are from; what changed stays so when that fails."""
    try:
        show_open_in((letter.queue for letter in changed), letters, gauge)
    except Exception:
        logger.exception("The number of open dead letters could not be shown")
