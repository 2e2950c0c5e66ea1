#!/bin/sh
# Whether the scripts show every command in every state; what they say is played by tests/unit/test_wire_imap.c and tests/e2e/test_wire.py.
exec python3 "$(dirname "$0")/coverage.py"
