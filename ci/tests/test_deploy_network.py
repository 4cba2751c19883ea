"""Clients whose machine is gone without a word: hosts in a network of their own, whose cable the test pulls."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import unittest
import uuid

from hosts import Host, HostsTest
from deployment import session

# For documentation and for measuring, so hardly anybody's; a machine may have them all the same.
PREFIXES = ("198.51.100.", "203.0.113.", "198.18.0.", "198.19.255.")
# The host says @alive every 30 s; with the setting below its kernel gives up about 3 s later.
FREE_SECONDS = 60


class Network:
    """A network namespace, joined to this machine's by a cable."""

    def __init__(self):
        prefix = next(prefix for prefix in PREFIXES if unused(prefix))
        self.here, self.there = prefix + "1", prefix + "2"
        self.name = f"hivecast-{uuid.uuid4().hex[:8]}"
        self.cable = f"hc{self.name[-8:]}"
        ip("netns", "add", self.name)
        try:
            ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            ip("address", "add", f"{self.here}/30", "dev", self.cable)
            ip("link", "set", self.cable, "up")
            for words in (("address", "add", f"{self.there}/30", "dev", "eth0"), ("link", "set", "eth0", "up"),
                          ("link", "set", "lo", "up")):
                ip("-n", self.name, *words)
            # It is 15 elsewhere, for about 15 minutes.
            self.run("sh", "-c", "echo 3 >/proc/sys/net/ipv4/tcp_retries2")
        except BaseException:
            self.close()
            raise

    def run(self, *command):
        subprocess.run(["ip", "netns", "exec", self.name, *command], check=True, capture_output=True)

    def pull(self):
        ip("link", "set", self.cable, "down")

    def close(self):
        subprocess.run(["ip", "netns", "delete", self.name], check=True)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def unused(prefix):
    """Whether this machine has no way of its own to these addresses, which the cable would cut."""
    routes = ip("-4", "route", "show", "to", "match", f"{prefix}2").splitlines()
    inside = ip("-4", "route", "show", "root", f"{prefix}0/24").splitlines()
    return not inside and all(route.startswith("default") for route in routes)


class DistantHost(Host):
    def __init__(self, network, *more):
        self.network = network
        self.address = network.there
        super().__init__(*more)

    def within(self):
        return ["ip", "netns", "exec", self.network.name]


def may_make_networks():
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    probe = f"hivecast-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", probe], check=True)
    return made


@unittest.skipUnless(may_make_networks(), "only root, with ip of iproute2 and the right to make networks, can pull a cable")
class PulledCable(HostsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.network = Network()
        cls.addClassCleanup(cls.network.close)
        cls.distant = []
        for name, shell in (("far-dash", "dash"), ("far-bash", "bash")):
            host = DistantHost(cls.network, cls.folder, name, cls.key.with_suffix(".pub"), cls.target, shell)
            cls.addClassCleanup(host.close)
            cls.distant.append(host.start())

    def test_a_host_that_waits_for_its_turn_is_free_again_within_a_minute(self):
        hosts = [self.one, *self.distant]
        path = self.environment(hosts=hosts, known_hosts="".join(host.known() for host in hosts))
        # The first host waits, so that the others hold their locks and have nothing to say.
        run = subprocess.Popen(["flock", "--no-fork", "--shared", self.lock(self.one, "run"), "sleep", "300"])
        deploy = self.start("deploy", path, "--packages", self.version("1.0.0"))
        try:
            for line in deploy.stdout:
                if "waiting for a running publish" in line:
                    break
            self.assertEqual([self.is_free(host) for host in self.distant], [False, False])
            self.network.pull()
            deadline = time.monotonic() + FREE_SECONDS
            while not all(self.is_free(host) for host in self.distant) and time.monotonic() < deadline:
                time.sleep(0.5)
            self.assertEqual([self.is_free(host) for host in self.distant], [True, True])
            for host in self.distant:
                self.assertFalse((host.root / "incoming").exists())
        finally:
            run.kill()
            run.wait()
            deploy.kill()
            deploy.communicate()

    def lock(self, host, name):
        host.root.mkdir(exist_ok=True)
        return host.root / f"{name}.lock"

    def is_free(self, host):
        return subprocess.run(["flock", "--nonblock", self.lock(host, "deploy"), "true"]).returncode == 0


class Alive(HostsTest):
    def test_nothing_of_a_deploy_is_left_on_the_hosts(self):
        self.deploy(self.version("1.0.0"))
        deadline = time.monotonic() + 5
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(left, [])

    def left(self):
        return [pid for host in self.hosts for pid in host.processes() if pid != host.process.pid]


class Silence(unittest.TestCase):
    """on-host stops its own lines before it sends bytes, and when it ends."""

    # As if the shell had lost the first signal, which dash does when it comes while it forks.
    LOSING = """
        lost=no alive=
        kill() { if [ $lost = no ] && [ "$1" = "$alive" ]; then lost=yes; else command kill "$@"; fi; }
        keep_alive
        fall_silent
        echo "silent, and the first signal was lost: $lost"
    """

    def test_a_signal_that_is_lost_is_sent_again(self):
        """Without that, a host waited for ever."""
        functions = session.script().decode().rpartition('main "$@"')[0]
        for shell in ("dash", "bash"):
            with self.subTest(shell):
                child = subprocess.Popen([shell, "-c", f"{functions}\n{self.LOSING}"], stdout=subprocess.PIPE, text=True,
                                         start_new_session=True)
                try:
                    self.assertIn("silent, and the first signal was lost: yes", child.communicate(timeout=20)[0])
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
