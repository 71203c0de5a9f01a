"""Pages that cannot be opened."""

import socket
from contextlib import suppress
from pathlib import Path

from bad_inputs.case import Case

PORT = 47_113

_HELD: list[socket.socket] = []


def in_use(folder: Path) -> None:
    """Somebody listens on the port, until the process ends."""
    with suppress(OSError):  # then somebody else does
        _HELD.append(socket.create_server(("127.0.0.1", PORT)))


SERVING = (
    Case(
        "a port that is in use",
        f"cnnlab serve tiny --method none --nearest 0 --port {PORT}",
        f"error: --port is {PORT}, which is in use on 127.0.0.1; choose another, or 0 for a free one",
        exit_code=1,
        make=in_use,
        run=True,
    ),
    Case(
        "a port that no machine has",
        "cnnlab serve tiny --port 65536",
        (
            "Usage: cnnlab serve [OPTIONS] {MODEL}\n"
            "Try 'cnnlab serve -h' for help.\n"
            "Error\n"
            "Invalid value for '--port': Input should be less than or equal to 65535"
        ),
    ),
    Case(
        "the address of another machine",
        "cnnlab serve tiny --method none --nearest 0 --port 0 --host 192.0.2.1",
        "error: --host is '192.0.2.1': cannot assign requested address; this machine is 127.0.0.1",
        run=True,
    ),
    Case(
        "a name that leads nowhere",
        "cnnlab serve tiny --method none --nearest 0 --host nowhere.invalid",
        "error: --host is 'nowhere.invalid', no name or number of this machine; such as 127.0.0.1",
        run=True,
    ),
    Case(
        "a rule of rejection that nobody made",
        "cnnlab serve tiny --reject",
        "error: runs/tiny/rejection.safetensors: there is none; `cnnlab reject tiny` makes it",
        run=True,
    ),
)
