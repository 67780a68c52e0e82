"""huggingface_hub's snapshot_download of the same model; it verifies nothing.

``python hub.py JSON`` with {url, cache, commit}; prints {seconds, cpu} of the download alone.
"""

import json
import os
import sys
import time
from typing import Any

__all__ = ["main"]


def main(order: dict[str, Any]) -> None:
    """Download the snapshot into a fresh cache."""
    os.environ |= {
        "HF_ENDPOINT": order["url"],
        "HF_HOME": order["cache"],
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - reads its environment here

    began, spent = time.monotonic(), time.process_time()
    snapshot_download("org/model", revision=order["commit"])
    numbers = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
    }
    print(json.dumps(numbers))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
