# SPDX-License-Identifier: GPL-2.0-or-later
"""Two guests on a network that can be cut."""

from lab import case


def answers(sender, address):
    """Whether a ping of sender is answered."""
    return sender.run(f"ping -c 1 -W 1 {address} >/dev/null", check=False).status == 0


@case("two guests talk, are cut off from each other, and talk again", bound=180, guests=2)
def cut_and_heal(lab):
    net = lab.network()
    a = lab.guest("a", networks={net: "10.0.0.1/24"})
    b = lab.guest("b", networks={net: "10.0.0.2/24"})
    b.wait_up()
    lab.until(lambda: answers(a, "10.0.0.2"), 20, "a reaches b")

    net.cut(b)
    lab.until(lambda: b.run("cat /sys/class/net/eth0/carrier", check=False).out == "0", 10,
              "b sees its cable pulled")
    lab.check(not answers(a, "10.0.0.2"), "a does not reach b")
    net.heal(b)
    lab.until(lambda: answers(a, "10.0.0.2"), 20, "a reaches b again")

    net.drop(b, a)
    lab.check(not answers(a, "10.0.0.2"), "a does not reach b when b's frames are lost")
    lab.check(b.run("cat /sys/class/net/eth0/carrier").out == "1", "b does not see that")
    net.pass_(b, a)
    lab.until(lambda: answers(a, "10.0.0.2"), 20, "a reaches b once more")
