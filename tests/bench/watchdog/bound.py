# SPDX-License-Identifier: GPL-2.0-or-later
"""From the last renewal of a client to the reset, RUNS (20) times in each of four ways."""

import os

from lab import case
from watchdogd import measure_bound

RUNS = int(os.environ.get("RUNS", "20"))


@case("by watchdogd itself, and with watchdogd killed", bound=60 + 40 * RUNS)
def itself_killed(lab):
    measure_bound(lab, ("itself", "killed"), RUNS)


@case("with watchdogd stopped, and by the device alone", bound=60 + 40 * RUNS)
def stopped_device(lab):
    measure_bound(lab, ("stopped", "device"), RUNS)
