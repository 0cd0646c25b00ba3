"""Hosts of a test's own, inside one machine: network, host name, mounts, IPC and processes are
namespaces, so that nothing of it is seen outside. A host ends with its first process, and that ends
with the test, whatever ends the test.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "fault"))
import faultlib as fl  # noqa: E402
import hostd  # noqa: E402

SOURCES = os.path.abspath(os.path.join(HERE, "..", ".."))
HOSTD = os.path.join(HERE, "hostd.py")
WIRE = os.path.join(HERE, "wire.py")
PYTHON = "/usr/bin/python3"
NETWORK = "10.79.0"
# What a site sets for all its users. Here the hosts share the machine's cores.
SITE_MCA = """hwloc_base_binding_policy = none
mpi_yield_when_idle = 1
orte_tmpdir_base = /run/tmp
"""


class Failed(Exception):
    """Something that a test needs, or that it expects, is not so."""


def environment(**more):
    """The caller's without settings of MPI, Slurm or this program."""
    strange = ("OMPI_", "PRTE_", "PMIX_", "SLURM_", "SBATCH_", "FMNIST_DIST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    return {**kept, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", **more}


def await_true(what, seconds, condition, every=0.05):
    """What the condition gives, once it gives anything."""
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > until:
            raise Failed(f"after {seconds} s still not so: {what}")
        time.sleep(every)


class Command:
    """A command that runs on a host; its output is in the file `path`."""

    def __init__(self, host, argv, path, env):
        self.host, self.argv, self.path, self.code = host, argv, path, None
        self.connection = hostd.connect(host.folder, host.name)
        with open(os.devnull, "rb") as nothing, open(path, "wb") as out:
            hostd.send(self.connection, {"argv": argv, "env": env, "folder": host.folder},
                       (nothing.fileno(), out.fileno(), out.fileno()))

    def signal(self, number):
        hostd.send(self.connection, {"signal": number})

    def poll(self, seconds=0.0):
        """The exit code; None: it runs on."""
        if self.code is None:
            self.connection.settimeout(seconds if seconds > 0 else 0.001)
            try:
                data = self.connection.recv(hostd.MESSAGE_BYTES)
            except socket.timeout:
                return None
            self.code = json.loads(data)["code"] if data else -1  # -1: the host is gone
        return self.code

    def wait(self, seconds):
        if self.poll(seconds) is None:
            self.signal(signal.SIGKILL)
            raise Failed(f"still running after {seconds} s: {' '.join(self.argv)}\n{self.output()}")
        return self.code

    def output(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()


class Host:
    def __init__(self, folder, name, address, overlays=()):
        self.folder, self.name, self.address = folder, name, address
        self.count = 0
        for end in ("", ".silent"):
            if os.path.exists(hostd.socket_path(folder, name) + end):
                os.unlink(hostd.socket_path(folder, name) + end)
        with open(os.path.join(folder, f"{name}.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "--mount", "--ipc",
                 "--pid", "--fork", "--kill-child", "--mount-proc", PYTHON, "-B", HOSTD, "serve",
                 folder, name, *overlays],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
                start_new_session=True)

    def await_start(self):
        def connected():
            if self.process.poll() is not None:
                with open(os.path.join(self.folder, f"{self.name}.log"), encoding="utf-8") as f:
                    raise Failed(f"the host {self.name} does not start: {f.read()}")
            try:
                return hostd.connect(self.folder, self.name)
            except OSError:
                return None
        with await_true(f"the host {self.name} has started", 10, connected) as connection:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = struct.unpack("iII", credentials)[0]  # of its first process, as seen from here

    def start(self, argv, env=None):
        self.count += 1
        path = os.path.join(self.folder, f"{self.name}-{self.count}.out")
        return Command(self, list(argv), path, env or environment())

    def run(self, *argv, seconds=60, env=None):
        """Output of a command that has to succeed."""
        command = self.start(argv, env)
        if command.wait(seconds) != 0:
            raise Failed(f"{self.name}: {' '.join(argv)}: exit code {command.code}: "
                         f"{command.output()}")
        output = command.output()
        os.unlink(command.path)
        return output

    def processes(self):
        """The command lines of all that runs there; to ask needs no network."""
        return [line.split(None, 1)[1] for line in self.run("ps", "-eo", "pid=,args=").splitlines()
                if "ps -eo" not in line and "hostd.py" not in line]

    def power_off(self):
        self.process.kill()  # and with it, by unshare --kill-child, all there is on the host
        self.process.wait()


class Network:
    """A switch and the hosts on it, in a folder that all of them see."""

    def __init__(self, folder, names):
        self.folder = folder
        self.addresses = {name: f"{NETWORK}.{10 + i}" for i, name in enumerate(names)}
        self.hosts = {}
        self.wire = None
        self.overlays = []
        self.overlay("hosts", "/etc/hosts", "127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in self.addresses.items()))
        site = "/etc/openmpi/openmpi-mca-params.conf"
        if os.path.exists(site):
            with open(site, encoding="utf-8") as f:
                self.overlay("openmpi-mca-params.conf", site, f.read() + SITE_MCA)
        self.switch = Host(folder, "switch", None)

    def overlay(self, name, place, text):
        """A file that is, on the hosts, in the place of another one."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.overlays.append(f"{path}={place}")

    def up(self):
        self.switch.await_start()
        self.switch.run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        self.switch.run("ip", "link", "set", "br0", "up")
        for name in self.addresses:
            self.boot(name)

    def boot(self, name):
        host = Host(self.folder, name, self.addresses[name], self.overlays)
        host.await_start()
        subprocess.run(["ip", "link", "add", "eth0", "netns", str(host.pid), "type", "veth", "peer",
                        "name", f"p-{name}", "netns", str(self.switch.pid)], check=True,
                       env=environment())
        self.switch.run("ip", "link", "set", f"p-{name}", "master", "br0")
        self.switch.run("ip", "link", "set", f"p-{name}", "up")
        host.run("ip", "link", "set", "lo", "up")
        host.run("ip", "addr", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")
        self.hosts[name] = host
        return host

    def cut(self, name):
        """Frames go nowhere any more; no host is told."""
        self.switch.run("ip", "link", "set", f"p-{name}", "nomaster")

    def heal(self, name):
        self.switch.run("ip", "link", "set", f"p-{name}", "master", "br0")
        for host in self.hosts.values():  # at once, not after some seconds
            host.run("ip", "neigh", "flush", "dev", "eth0")

    def set_link(self, rate=None, delay=0.0, loss=0.0):
        """Links of the hosts from now on. `rate`: bits a second, None without a limit; `delay`:
        seconds from host to host; `loss`: a share of the frames."""
        for name, host in self.hosts.items():
            host.start(["tc", "qdisc", "del", "dev", "eth0", "root"]).wait(10)
            if rate:
                host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{rate:.0f}",
                         "burst", "256k", "limit", "4m")
            # Frames that are lost are single ones, not those that the kernel has yet to segment.
            host.run("ip", "link", "set", "eth0", "gso_max_segs", "1" if loss else "65535")
            self.switch.run("ip", "link", "set", f"p-{name}", *(
                ["nomaster"] if delay or loss else ["master", "br0"]))
        if self.wire is not None:
            self.wire.signal(signal.SIGKILL)
            self.wire.poll(10)
            self.wire = None
        if delay or loss:
            self.wire = self.switch.start([PYTHON, "-B", WIRE, str(delay), str(loss),
                                           *(f"p-{name}" for name in self.hosts)])

    def crash(self, name, told=False):
        """A power cut, of which the others hear nothing; `told`: their connections end."""
        if not told:
            with open(hostd.socket_path(self.folder, name) + ".silent", "wb"):
                pass
            self.cut(name)
        self.hosts.pop(name).power_off()
        # Sockets that have lost their process keep the network of a dead host for minutes.
        self.switch.start(["ip", "link", "del", f"p-{name}"]).wait(10)

    def down(self):
        for host in [*self.hosts.values(), self.switch]:
            host.power_off()


def needs(*commands):
    """Skips where hosts cannot be made."""
    path = environment()["PATH"]
    missing = [c for c in ("unshare", "setpriv", "ip", "mpirun", *commands)
               if shutil.which(c, path=path) is None]
    if missing:
        fl.skip(f"needs {', '.join(missing)}: scripts/install-packages cluster")
    if os.geteuid() != 0:
        fl.skip("needs root, to make network namespaces")
    trial = subprocess.run(["unshare", "--net", "--uts", "--mount", "--ipc", "--pid", "--fork",
                            "--mount-proc", "ip", "link", "add", "veth0", "type", "veth", "peer",
                            "name", "veth1"], capture_output=True, check=False, env=environment())
    if trial.returncode != 0:
        fl.skip(f"no namespaces here: {trial.stderr.decode(errors='replace').strip()}")


def temporary_folder():
    return tempfile.mkdtemp(prefix="fmnist-dist-cluster-")
