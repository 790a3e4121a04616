#!/usr/bin/python3
"""Run a program on a terminal of its own, and look at both.

    pty.py ROWSxCOLUMNS STEP... -- COMMAND...

expect:TEXT     until TEXT came since the last step that looked
send:TEXT       type it
size:ROWSxCOLS  another size; the kernel tells the program
signal:NAME     kill -NAME
stopped         until it is stopped, the terminal as it was
run:COMMAND     in a shell
frame:FILE      write the last whole picture, escape sequences taken off

At the end it waits for the program; on stdout `exit N` or `signal N`. Status
1 and a sentence: a step failed within 15 s, the terminal's modes are not what
they were, or the screen was not given back.
"""
import errno
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?7h\x1b[?25h\x1b[?1049l"
HOME, REST = b"\x1b[H", b"\x1b[J"


class Terminal:
    def __init__(self, size, command):
        self.seen, self.at = b"", 0
        self.master, self.slave = os.openpty()
        self.resize(size)
        self.modes = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            self.login()
            os.execvp(command[0], command)

    def login(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for fd in 0, 1, 2:
            os.dup2(self.slave, fd)
        os.close(self.slave)

    def resize(self, size):
        rows, columns = map(int, size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError as e:
                if e.errno != errno.EIO:
                    raise

    def until(self, holds, what):
        end = time.monotonic() + 15
        while not holds():
            if time.monotonic() > end:
                sys.exit(f"pty: waited in vain: {what}; seen: "
                         f"{self.seen[self.at:]!r}")
            self.read(0.02)

    def ended(self, flags=0):
        pid, self.status = os.waitpid(self.pid, os.WNOHANG | flags)
        return pid != 0

    def given_back(self):
        had = -1
        while had != len(self.seen):    # a read gives 4 KB of it at most
            had = len(self.seen)
            self.read(0.1)
        if termios.tcgetattr(self.slave) != self.modes:
            sys.exit("pty: the modes are not what they were")
        if ENTER in self.seen and not self.seen.endswith(LEAVE):
            sys.exit(f"pty: the screen was not given back: "
                     f"{self.seen[-40:]!r}")

    def frame(self):
        self.until(lambda: REST in self.seen, "a whole picture")
        whole = self.seen[:self.seen.rindex(REST)]
        text = whole[whole.rindex(HOME):]
        return re.sub(rb"\x1b\[[?0-9]*[A-Za-z]|\r", b"", text)

    def step(self, step):
        what, _, arg = step.partition(":")
        if what == "expect":
            want = arg.encode()
            self.until(lambda: want in self.seen[self.at:], step)
            self.at = self.seen.index(want, self.at) + len(want)
        elif what == "send":
            os.write(self.master, arg.encode())
        elif what == "size":
            self.at = len(self.seen)
            self.resize(arg)
        elif what == "signal":
            self.at = len(self.seen)
            os.kill(self.pid, getattr(signal, "SIG" + arg))
        elif what == "stopped":
            self.until(lambda: self.ended(os.WUNTRACED), step)
            if not os.WIFSTOPPED(self.status):
                sys.exit("pty: it ended and was not stopped")
            self.given_back()
            self.at = len(self.seen)
        elif what == "run":
            self.at = len(self.seen)
            subprocess.run(arg, shell=True, check=True)
        elif what == "frame":
            with open(arg, "wb") as f:
                f.write(self.frame() + b"\n")
        else:
            sys.exit(f"pty: no step {step}")


cut = sys.argv.index("--")
terminal = Terminal(sys.argv[1], sys.argv[cut + 1:])
try:
    for step in sys.argv[2:cut]:
        terminal.step(step)
    terminal.until(terminal.ended, "its end")
    terminal.pid, pid = 0, terminal.pid
finally:
    if terminal.pid:
        os.kill(terminal.pid, signal.SIGKILL)
terminal.given_back()
if os.WIFSIGNALED(terminal.status):
    print("signal", os.WTERMSIG(terminal.status))
else:
    print("exit", os.WEXITSTATUS(terminal.status))
