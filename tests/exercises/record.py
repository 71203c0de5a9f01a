"""Record what the commands print that need a long training: python tests/exercises/record.py PLACE.

PLACE is a folder with `runs/cifar`, trained by `cnnlab train configs/cifar.yaml`.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from exercises.page import RECORDED, answers, printed

CONFIG = Path(__file__).parent.parent.parent / "configs" / "cifar.yaml"

if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    shutil.copy(CONFIG, place)
    found = {one.command: printed(one.command, place, own_data=False) for one in answers() if one.from_run}
    RECORDED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
