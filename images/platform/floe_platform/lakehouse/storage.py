"""How the object storage's client waits for a storage that restarts; pyiceberg loads it by name."""

from pyarrow.fs import AwsStandardS3RetryStrategy

# The pauses between them grow, by chance, to about half a minute in all. A refusal is final.
_ATTEMPTS = 7


class Patience(AwsStandardS3RetryStrategy):
    """Asks again until a restarted pod is back."""

    def __init__(self) -> None:
        """Set how often; pyiceberg passes nothing."""
        super().__init__(max_attempts=_ATTEMPTS)
