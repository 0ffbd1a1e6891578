#!/usr/bin/env python3
"""A real OpenStack on loopback with a simulated BDE and vCenter, from one command.

    lab.py install            what is missing: Debian packages, a virtualenv with OpenStack
    lab.py up [--fresh]       start everything, or what is missing of it
    lab.py env                print `export OS_...` lines of an ordinary user
    lab.py status             one line per process
    lab.py demo               the 2015-shape template through `openstack stack create`
    lab.py test [--up] [--by-engine] [--deep] [NAME ...]  the lab's tests: the names of tests/test_NAME.py,
                              default all, or those that depend on Heat's engine;
                              --deep adds long ones of NSX-v; --up brings the lab up for them and takes it down again
    lab.py plugin [ARG ...]   the Heat plugin's own tests, with this flavour's Heat; pytest's arguments
    lab.py stop|kill|start NAME ...   one process: politely, with SIGKILL, again
    lab.py down [--purge]     end what `up` started; --purge removes the state too

Each takes `--neutron nsx-v`: the lab with the real NSX-v plugin, which has a state of its own.

Settings are environment variables, see labkit/settings.py: HOWDAH_LAB_FLAVOUR (pypi, debian),
HOWDAH_LAB_STATE, HOWDAH_LAB_CACHE, HOWDAH_LAB_PORTS, HOWDAH_BIN and others.
"""
import sys

from labkit import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:], __doc__))
