# SPDX-License-Identifier: GPL-2.0-or-later
"""From the last renewal to the reset, a few times; `make bench` does it 20 times (tests/bench)."""

from lab import case
from watchdogd import measure_bound


@case("the reset comes within the bound: by watchdogd itself, and killed", bound=180)
def itself_killed(lab):
    measure_bound(lab, ("itself", "killed"), 2)


@case("the reset comes within the bound: stopped, and by the device alone", bound=180)
def stopped_device(lab):
    measure_bound(lab, ("stopped", "device"), 2)
