#!/usr/bin/env python3
"""The first process of a host that is made of Linux namespaces, and the way into it.

  hostd.py serve FOLDER NAME [FILE=PLACE]...  becomes the host NAME; lays each FILE over PLACE
  hostd.py rsh FOLDER NAME COMMAND...         runs a command there, as ssh does (plm_rsh_agent)

It listens on a socket in FOLDER, which all hosts share: one connection is one command. The client
sends {"argv", "env", "folder"} with three file descriptors, later maybe {"signal"}; the host
answers {"code"}. A command goes on when its client is gone, as a daemon has to.
"""
import array
import json
import os
import selectors
import signal
import socket
import subprocess
import sys

MESSAGE_BYTES = 160000


def send(connection, message, fds=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    connection.sendmsg([json.dumps(message).encode()], rights)


def receive(connection):
    """A message and its file descriptors; None when the other side is gone."""
    try:
        data, fds, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 3)
    except OSError:
        return None, []
    return json.loads(data) if data else None, fds


def socket_path(folder, name):
    return os.path.join(folder, f"{name}.sock")


def connect(folder, name):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(socket_path(folder, name))
    return connection


def code_of(status):
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def spawn(order, fds):
    """Starts a command in a session of its own; its process id."""
    pid = os.fork()
    if pid > 0:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
        os.closerange(3, 256)
        os.chdir(order["folder"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except OSError as error:
        os.write(2, f"{order['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


class Server:
    def __init__(self, listener):
        self.selector = selectors.DefaultSelector()
        self.clients = {}  # process id: connection
        died, self.wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(died, selectors.EVENT_READ, self.reap)
        self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def loop(self):
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    def accept(self, listener):
        connection, _ = listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, self.obey)

    def obey(self, connection):
        order, fds = receive(connection)
        pids = [pid for pid, client in self.clients.items() if client is connection]
        if order is None:
            self.selector.unregister(connection)
            for pid in pids:
                del self.clients[pid]
            connection.close()
        elif "argv" in order:
            self.clients[spawn(order, fds)] = connection
        else:
            for pid in pids:
                os.kill(pid, order["signal"])
        for fd in fds:
            os.close(fd)

    def reap(self, died):
        os.read(died, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self.clients.pop(pid, None)
            if connection is not None:
                try:
                    send(connection, {"code": code_of(status)})
                except OSError:
                    pass


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def serve(folder, name, *overlays):
    socket.sethostname(name)
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", "/dev/shm")
    mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
    os.makedirs("/run/tmp")
    os.chmod("/run/tmp", 0o1777)
    for overlay in overlays:
        source, place = overlay.split("=")
        mount("--bind", source, place)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(socket_path(folder, name))
    listener.listen(64)
    Server(listener).loop()


def rsh(folder, name, *command):
    connection = connect(folder, name)
    env = {key: os.environ[key] for key in ("PATH", "HOME", "LC_ALL") if key in os.environ}
    send(connection, {"argv": ["/bin/sh", "-c", " ".join(command)], "env": env,
                      "folder": os.environ["HOME"]}, (0, 1, 2))
    answer, _ = receive(connection)
    if answer is None and os.path.exists(socket_path(folder, name) + ".silent"):
        signal.pause()  # nobody tells ssh of a power cut
    sys.exit(255 if answer is None else answer["code"])


if __name__ == "__main__":
    {"serve": serve, "rsh": rsh}[sys.argv[1]](*sys.argv[2:])
