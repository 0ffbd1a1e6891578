"""The lab: real Keystone, Neutron, RabbitMQ, MariaDB and Heat, and Howdah, on loopback.

Standard library only, so that it runs on a bare Debian. `settings` knows where everything is,
`install` brings what is missing, `config` writes configuration files, `services` has the table of
processes, `process` starts and ends them, `database` and `identity` fill them, `howdah` has our
own parts, `guests` the guests, `commands` what a person can ask for.
"""
